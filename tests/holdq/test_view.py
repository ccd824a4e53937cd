"""What a person sees of the spool."""

import os
from pathlib import Path

import pytest

from holdq import view
from holdq.heldfile import DONE
from holdq.names import Held
from tests.holdq.site import END, NOW, Site

LENGTH = len(f"Received: (holdq 77 invoked by uid {os.geteuid()}); 15 Jan 2027 08:00:00 -0000\n{END.decode()}")
RECEIVED_AND_END = str(LENGTH)


def rows(site: Site, now: float = NOW) -> list[list[str]]:
    return [line.split() for line in view.table(site.store, now)]


def test_an_empty_spool_is_an_empty_table(site: Site) -> None:
    assert rows(site) == []


def test_table(site: Site) -> None:
    new = site.put(END, b"a@b.c", b"x@y.z", b"q@y.z", now=NOW - 7200)
    waits = site.store.postpone(site.store.begin(site.hold(bytes(4860), now=NOW - 60)), int(NOW) + 600)
    site.store.tell_why(waits.identity, "later x@y.z: first\nlater q@y.z: no room\n")
    dead = site.store.bury(site.store.begin(site.hold(END, b"", now=NOW)))
    site.store.tell_why(dead.identity, "failed x@y.z: no mailbox here by that name\n")

    assert rows(site) == [
        ["ID", "STATE", "AGE", "SIZE", "TRIES", "NEXT", "FROM", "TO", "LAST", "REASON"],
        [new, "new", "2h", RECEIVED_AND_END, "0", "now", "<a@b.c>", "x@y.z", "+1"],
        [waits.identity, "hold", "1m", "4.8K", "1", "in", "10m", "<a@b.c>", "x@y.z", "later", "q@y.z:", "no", "room"],
        [dead.identity, "dead", "0s", RECEIVED_AND_END, "1", "-", "<>", "x@y.z", "failed", "x@y.z:", "no", "mailbox",
         "here", "by", "that", "name"]]


def test_nothing_of_a_message_reaches_the_terminal_as_it_is(site: Site) -> None:
    """A43"""
    site.put(b"Subject: \x1b]0;pwn\x07\n\n", b"\x1b[2J@\x9b31m", "\N{RIGHT-TO-LEFT OVERRIDE}@y.z".encode())
    place, = view.places(site.store)
    text = "\n".join([*view.table(site.store, NOW), *view.description(site.store, place, NOW)])

    assert all(" " <= character <= "~" or character == "\n" for character in text)
    assert b"\x1b" not in view.header(place, escaped=True)
    assert b"\x1b]0;pwn\x07" in view.header(place, escaped=False)


def test_what_is_odd_does_not_stop_the_table(site: Site) -> None:
    """A132"""
    good = site.hold()
    Path(site.spool.hold, Held("6920a3c1-9f3c2a7b51d2e4f6").name).write_bytes(b"")
    os.mkfifo(Path(site.spool.incoming, "6920a3c1-9f3c2a7b51d2e4f7"))

    assert [row[0] for row in rows(site)[1:]] == ["6920a3c1-9f3c2a7b51d2e4f6", "6920a3c1-9f3c2a7b51d2e4f7", good.identity]


def test_description(site: Site) -> None:
    held = site.hold(END, b"a@b.c", b"one", b"two", now=NOW - 172_800)
    with site.store.open(held) as file:
        file.mark([next(file.recipients()).offset], DONE)
    site.store.tell_why(held.identity, "later two: no room\n")
    place, = view.places(site.store)

    assert list(view.description(site.store, place, NOW)) == [
        f"id          {held.identity}", "state       hold, next try: now", "tries       0",
        f"arrived     2d ago, taken by process 77 from uid {os.getuid()}", f"size        {RECEIVED_AND_END}",
        "from        <a@b.c>", "delivered   one", "waiting     two", "reason      later two: no room"]


def test_find_by_either_end(site: Site) -> None:
    first, second = site.put(now=NOW), site.put(now=NOW)

    assert [place.held.identity for place in view.find(site.store, first)] == [first]
    assert [place.held.identity for place in view.find(site.store, second[-8:])] == [second]
    assert len(view.find(site.store, first[:8])) == 2
    assert view.find(site.store, first[:5]) == []
    assert view.find(site.store, "../../etc/passwd") == []


def test_statistics(site: Site) -> None:
    site.put(now=NOW - 90)
    site.hold()
    site.store.postpone(site.store.begin(site.hold(now=NOW - 7200)), int(NOW) + 60)
    site.store.bury(site.hold())
    Path(site.spool.odd, "x").write_bytes(b"")

    assert [line.split() for line in view.statistics(site.store, NOW)] == [
        ["new", "1", "messages", str(LENGTH + 12), "oldest", "90s"],
        ["hold", "2", "messages", str(2 * LENGTH + 24), "oldest", "2h"],
        ["dead", "1", "messages", str(LENGTH + 12), "oldest", "0s"], ["due", "2"], ["odd", "1"]]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (-5, "0s"), (59, "59s"), (60, "1m"), (61, "61s"), (3600, "1h"),
                                               (7199, "119m"), (7200, "2h"), (172_800, "2d")])
def test_span(seconds: float, text: str) -> None:
    assert view.span(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (1023, "1023"), (1024, "1.0K"), (20 << 10, "20K"), (3 << 20, "3.0M"),
                                             (50 << 30, "50G")])
def test_size(count: int, text: str) -> None:
    assert view.size(count) == text
