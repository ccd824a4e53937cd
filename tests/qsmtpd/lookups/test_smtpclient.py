"""The question to another server: what is said, what its answers mean, and servers that misbehave."""

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups.smtpclient import Inquiry, Probe, Talk, is_about_address, path
from qsmtpd.upstream import Answer
from tests.servers import free_port
from tests.upstreams import Behaviour, Visit, polite, upstream

ADDRESS = b"joe@far.example"


def talk(behaviour: Behaviour, seconds: float = 10.0) -> tuple[Probe, list[bytes]]:
    """The probe after its dialogue with such a server, and what the server heard."""
    with upstream(behaviour) as server:
        probe = Probe(b"mx.example.org", ADDRESS)
        asked = Talk(probe, b"127.0.0.1", server.port, None)
        assert asked.go_on(time.monotonic() + seconds)
    return probe, server.heard


def test_the_whole_dialogue() -> None:
    probe, heard = talk(polite({b"EHLO": b"250-fake\r\n250-PIPELINING\r\n250 SIZE 1000"}))

    assert heard == [b"EHLO mx.example.org", b"MAIL FROM:<>", b"RCPT TO:<joe@far.example>", b"QUIT"]
    assert (probe.verdict, probe.heard, probe.why) == (True, True, b"250 ok")


def test_a_server_that_knows_only_helo() -> None:
    probe, heard = talk(polite({b"EHLO": b"502 unimplemented"}))

    assert heard[:2] == [b"EHLO mx.example.org", b"HELO mx.example.org"]
    assert probe.verdict is True


@pytest.mark.parametrize(("answers", "greeting", "verdict", "heard"), [
    ({b"RCPT": b"251 will forward"}, b"220 x", True, True),
    ({b"RCPT": b"550 5.1.1 no such user"}, b"220 x", False, True),
    ({b"RCPT": b"550-5.1.1 no\r\n550 5.1.1 such user"}, b"220 x", False, True),
    ({b"RCPT": b"450 4.7.1 greylisted"}, b"220 x", None, True),
    ({b"RCPT": b"354 go ahead"}, b"220 x", None, True),
    ({b"MAIL": b"550 no bounces here"}, b"220 x", None, True),
    ({b"MAIL": b"451 later"}, b"220 x", None, True),
    ({b"EHLO": b"421 too busy"}, b"220 x", None, False),
    ({b"EHLO": b"502 no", b"HELO": b"550 no"}, b"220 x", None, False),
    ({}, b"421 too busy", None, False),
    ({}, b"554 go away", None, False),
])
def test_what_the_answers_mean(answers: dict[bytes, bytes], greeting: bytes, verdict: bool | None, heard: bool) -> None:
    probe, lines = talk(polite(answers, greeting=greeting))

    assert (probe.verdict, probe.heard) == (verdict, heard)
    assert lines[-1] == b"QUIT"


@pytest.mark.parametrize(("text", "verdict"), [
    (b"550 5.1.1 unknown", True), (b"550 sorry, no mailbox here by that name. (#5.1.1)", True), (b"550 no", True),
    (b"550 5.5.0 Requested action not taken: mailbox unavailable", True), (b"554 5.1.1 unknown", True),
    (b"551 not local", True),
    (b"550 5.2.1 disabled", True), (b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", False),
    (b"550 5.7.1 Client host blocked", False), (b"554 5.7.1 Relay access denied", False), (b"552 5.2.2 mailbox full", False),
    (b"550 5.2.2 mailbox full", False), (b"554 no", False), (b"552 full", False), (b"550 5.3.4 big", False),
    (b"450 4.1.1 no", False)])
def test_a_refusal_for_another_reason_says_nothing_of_the_address(text: bytes, verdict: bool) -> None:
    """A101: it must not be remembered as "no such address"."""
    assert is_about_address(Answer(int(text[:3]), (text[4:],))) is verdict


def closes(visit: Visit) -> None:
    visit.say(b"220 x\r\n")


def garbage(visit: Visit) -> None:
    visit.say(b"SSH-2.0-OpenSSH_9.2\r\n")


def ten_megabytes(visit: Visit) -> None:
    visit.say(b"220-" + b"x" * 10_000_000)


def endless_lines(visit: Visit) -> None:
    for _ in range(1_000_000):
        visit.say(b"220-hello\r\n")


def early_talker(visit: Visit) -> None:
    visit.say(b"220 x\r\n250 ok\r\n250 ok\r\n250 ok\r\n")
    visit.line()


@pytest.mark.parametrize(("behaviour", "why"), [
    (closes, b"it closed the connection"), (garbage, b"no SMTP reply"), (ten_megabytes, b"a line without end"),
    (endless_lines, b"a reply without end"), (early_talker, b"it answers what was not asked")])
def test_servers_that_misbehave(behaviour: Behaviour, why: bytes) -> None:
    """A17, A101: nothing is known then, and nothing large is kept."""
    probe, heard = talk(behaviour)

    assert (probe.verdict, probe.heard) == (None, False)
    assert probe.why in (why, b"Connection reset by peer", b"Broken pipe")
    assert heard in ([], [b"EHLO mx.example.org"])


def trickle(visit: Visit) -> None:
    for byte in b"220 x\r\n" * 10:
        visit.say(bytes([byte]))
        time.sleep(0.3)


def test_one_byte_at_a_time_does_not_move_the_deadline() -> None:
    """A101, a tarpit."""
    with upstream(trickle) as server:
        asked = Talk(Probe(b"me", ADDRESS), b"127.0.0.1", server.port, None)
        begin = time.monotonic()
        assert not asked.go_on(begin + 0.5)
        assert time.monotonic() - begin < 5
        asked.close()


def test_the_talk_goes_on_where_it_stood() -> None:
    with upstream(polite(slow=1.0)) as server:
        probe = Probe(b"me", ADDRESS)
        asked = Talk(probe, b"127.0.0.1", server.port, b"127.0.0.1")
        assert not asked.go_on(time.monotonic() + 0.4)
        assert probe.verdict is None
        assert asked.go_on(time.monotonic() + 10)

    assert probe.verdict is True
    assert server.visits == 1


def test_a_probe_that_is_over_leaves_nothing_to_the_collector() -> None:
    """Which hardly looks at what has lived as long as a talk."""
    gc.collect()
    gc.disable()
    try:
        probe = Probe(b"me", ADDRESS)
        for said in (b"220 x\r\n", b"500 what\r\n", b"250 x\r\n", b"250 ok\r\n"):
            probe.receive(said)
        del probe
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_nobody_listens() -> None:
    asked = Talk(Probe(b"me", ADDRESS), b"127.0.0.1", free_port(), None)

    assert asked.go_on(time.monotonic() + 5)
    assert asked.probe.why == b"Connection refused"


def test_an_address_that_we_do_not_have() -> None:
    with pytest.raises(OSError, match="assign"):
        Talk(Probe(b"me", ADDRESS), b"127.0.0.1", 25, b"192.0.2.7")


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"220 x\r\n", b"250 ok\r\n", b"550 no\r\n"]), max_size=8))
def test_whatever_a_server_says(pieces: list[bytes]) -> None:
    """It ends, says only what belongs to the dialogue, and a verdict has a reply to RCPT behind it."""
    probe, said = Probe(b"me", ADDRESS), b""
    for piece in pieces:
        if not probe.done:
            said += probe.receive(piece)

    allowed = [b"EHLO me", b"HELO me", b"MAIL FROM:<>", b"RCPT TO:<joe@far.example>", b"QUIT", b""]
    assert all(line in allowed for line in said.split(b"\r\n"))
    assert probe.verdict is None or b"RCPT" in said


@pytest.mark.parametrize(("address", "written"), [
    (b"a@b", b"<a@b>"), (b"a.b+c@B.example", b"<a.b+c@B.example>"), (b"a b@c", b'<"a b"@c>'), (b'a>"\\@c', b'<"a>\\"\\\\"@c>'),
    (b"a..b@c", b'<"a..b"@c>'), (b".@c", b'<"."@c>'), (b"a@b@c", b'<"a@b"@c>')])
def test_path(address: bytes, written: bytes) -> None:
    assert path(address) == written


@pytest.mark.parametrize("address", [
    b"", b"a", b"@b", b"a@", b"a@b>", b"a@b c", b"a@[192.0.2.1]", b"a@b\r\nQUIT", b"a\r\nQUIT@b", b"a\x7f@b",
    "ä@b".encode(), b"a@\xe4"])
def test_what_cannot_be_asked_for(address: bytes) -> None:
    """A51: nothing of an address ends the command."""
    with pytest.raises(ValueError, match="an address"):
        Probe(b"me", address)


def test_one_server_after_the_other() -> None:
    """The second is asked when the first has not heard the question, and not when it has."""
    with (upstream(polite(greeting=b"421 busy")) as busy, upstream(polite({b"RCPT": b"450 no"})) as later,
          upstream(polite()) as third):
        inquiry = Inquiry(b"me", ADDRESS, [])
        inquiry.places = [(b"127.0.0.1", free_port())] + [(b"127.0.0.1", server.port) for server in (busy, later, third)]
        assert inquiry.go_on(time.monotonic() + 10)

    assert (inquiry.verdict, inquiry.why) == (None, b"450 no")
    assert (busy.visits, later.visits, third.visits) == (1, 1, 0)


def test_no_address_of_that_family() -> None:
    """control/calloutip has IPv6 only: our IPv4 address is not shown to anybody."""
    inquiry = Inquiry(b"me", ADDRESS, [b"::1"])
    inquiry.places = [(b"127.0.0.1", 25)]

    assert inquiry.go_on(time.monotonic() + 1)
    assert inquiry.why == b"nobody to ask"


def test_ipv6() -> None:
    with upstream(polite(), "::1") as server:
        inquiry = Inquiry(b"me", ADDRESS, [b"127.0.0.1", b"::1"])
        inquiry.places = [(b"::1", server.port)]
        assert inquiry.go_on(time.monotonic() + 10)

    assert inquiry.verdict is True


def test_close_leaves_the_server_alone() -> None:
    with upstream(polite(slow=1.0)) as server:
        inquiry = Inquiry(b"me", ADDRESS, [])
        inquiry.places = [(b"127.0.0.1", server.port)]
        assert not inquiry.go_on(time.monotonic() + 0.3)
        inquiry.close()

    assert b"QUIT" not in server.heard
