"""Who looks on sees what a session would, and leaves no trace: in no store, and in no mark."""

import os
import time
from pathlib import Path

from qsmtpd.lookups.marks import Marks
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.qmail.control import Control
from qsmtpd.rules.atonce import complete
from tests.qsmtpd.world import DictDns, DictStore
from tools.frontline.onlooker import Onlooker, ReadMarks, ReadStore, TimedDns
from tools.frontline.stopwatch import Stopwatch


def onlooker(home: Path) -> Onlooker:
    made = Onlooker(Control(str(home)), str(home), now=time.time(), note=lambda why: None)
    made.watch = Stopwatch()
    return made


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Else it would belong to whoever asks, and the sessions could not write it."""
    store = onlooker(tmp_path).store

    complete(store.put(b"a", b"1", 60))

    assert complete(store.get(b"a")) == b"1"
    assert complete(store.claim(b"a", 60)) is True
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_the_sites_and_what_is_written_stays_with_us(tmp_path: Path) -> None:
    theirs = SqliteStore(f"{tmp_path}/frontline/store.sqlite")
    complete(theirs.put(b"a", b"theirs", 60))
    complete(theirs.count(b"n", 3.0, 1e9))
    store = onlooker(tmp_path).store

    assert complete(store.get(b"a")) == b"theirs"
    assert round(complete(store.count(b"n", 1.0, 1e9)), 3) == 4
    assert round(complete(store.count(b"n", 1.0, 1e9)), 3) == 5
    complete(store.put(b"a", b"", 0))
    complete(store.put(b"b", b"ours", 60))
    assert [complete(store.get(key)) for key in (b"a", b"b")] == [None, b"ours"]
    assert [complete(store.claim(b"c", 60)) for _ in range(2)] == [True, False]

    assert [complete(theirs.get(key)) for key in (b"a", b"b")] == [b"theirs", None]
    assert round(complete(theirs.count(b"n", 0.0, 1e9)), 3) == 3
    assert complete(theirs.claim(b"c", 60)) is True


def test_a_store_that_is_down_is_down_for_who_looks_on() -> None:
    store = ReadStore(DictStore(down=True))
    failures = 0
    for work in (store.get(b"a"), store.put(b"a", b"", 1), store.count(b"a", 1, 1), store.claim(b"a", 1)):
        try:
            complete(work)
        except Exception:
            failures += 1

    assert failures == 4


def test_marks_are_read_and_never_set(tmp_path: Path) -> None:
    now = time.time()
    Marks(str(tmp_path)).strike(b"dul.example", now, 3)
    before = sorted(os.listdir(tmp_path))
    marks = ReadMarks(str(tmp_path))

    assert marks.has(b"dul.example", now)
    assert not marks.strike(b"other.example", now, 3)
    marks.clear(b"dul.example")

    assert sorted(os.listdir(tmp_path)) == before
    assert marks.has(b"dul.example", now)


def test_questions_that_were_asked_together_are_timed_together() -> None:
    watch = Stopwatch()
    dns = TimedDns(DictDns({(b"a.test", "A"): (b"127.0.0.2",)}), watch)
    watch.about_to_ask(["dul", "rss"])

    complete(dns.prefetch([(b"a.test", "A")]))

    assert set(watch.ms) == {"dul", "rss"}
    assert complete(dns.ask(b"a.test", "A")) == (b"127.0.0.2",)
