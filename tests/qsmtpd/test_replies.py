"""Every reply is what the wire allows, and its code is one that the RFC knows."""

from hypothesis import given
from hypothesis import strategies as st

from qsmtpd import replies
from qsmtpd.replies import LINE_MAX, Reply
from tests.transcript import codes

CONSTANTS = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}


def test_every_constant_is_well_formed() -> None:
    assert len(CONSTANTS) >= 25
    for name, reply in CONSTANTS.items():
        assert codes(reply.wire) == [reply.code], name
        text = reply.wire[4:]
        # RFC 2034: the class of the enhanced code is the first digit of the code; 354 has none.
        assert reply.code == 354 or text.split(b".")[0] == b"%d" % (reply.code // 100), name


def test_faults_of_ours_are_temporary() -> None:
    for reply in (replies.CONTROLS, replies.OUT_OF_MEMORY, replies.INTERNAL, replies.TIMEOUT, replies.NO_QUEUE):
        assert 400 <= reply.code < 500


@given(st.integers(200, 599), st.lists(st.binary(max_size=700), min_size=1, max_size=4))
def test_any_text_is_one_reply(code: int, lines: list[bytes]) -> None:
    """A44."""
    reply = Reply(code, "5.7.1", *lines)

    assert codes(reply.wire) == [code]
    assert reply.wire.count(b"\r\n") == len(lines)
    assert max(len(line) for line in reply.wire.split(b"\r\n")) <= LINE_MAX


def test_replies_made_for_a_session() -> None:
    site = replies.OfSite(b"mx.test", 77)
    assert site.greeting.wire == b"220 mx.test ESMTP\r\n"
    assert site.hello.wire == b"250 mx.test\r\n"
    assert (site.goodbye.wire, site.goodbye.closes) == (b"221 2.0.0 mx.test\r\n", True)
    assert site.extended_hello.wire.startswith(b"250-mx.test\r\n")
    assert b"\r\n250-SIZE 77\r\n" in site.extended_hello.wire
    assert replies.queued(1795262400.9, 42).wire == b"250 2.0.0 ok 1795262400 qp 42\r\n"
