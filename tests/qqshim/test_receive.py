"""Message and envelope as they come in: byte for byte, or not at all."""

import os
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.receive import AT_ONCE, Mail, receive
from qsmtpd.qmail import envelope
from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.rules.atonce import complete
from tests.qqshim.arrived import at_once

ADDRESSES = st.binary(max_size=40).map(lambda address: address.replace(b"\0", b""))


def read_from(*descriptors: int) -> Mail:
    """What is read from these two."""
    async def read(number: int) -> bytes:
        return os.read(descriptors[number], AT_ONCE)
    return complete(receive(read, at_once, b"/var/tmp"))


def received(message: bytes, text: bytes) -> Mail:
    """Both over pipes."""
    pipes = os.pipe(), os.pipe()

    def feed() -> None:
        for (_, write), data in zip(pipes, (message, text), strict=True):
            with open(write, "wb") as file:
                file.write(data)

    feeder = Thread(target=feed)
    feeder.start()
    try:
        return read_from(pipes[0][0], pipes[1][0])
    finally:
        feeder.join()
        for read, _ in pipes:
            os.close(read)


def contents(mail: Mail) -> tuple[bytes, bytes]:
    both = mail.message.read(0, mail.message.size + 1), mail.envelope.read(0, mail.envelope.size + 1)
    mail.message.close()
    mail.envelope.close()
    return both


@given(st.binary(max_size=300), ADDRESSES, st.lists(ADDRESSES, min_size=1, max_size=5), st.binary(max_size=10))
def test_byte_for_byte(body: bytes, sender: bytes, recipients: list[bytes], after: bytes) -> None:
    """What follows the final NUL is left behind."""
    text = envelope.build(sender, recipients)
    mail = received(b"\n" + body, text + after)

    assert (mail.sender, mail.recipients, mail.body) == (sender, len(recipients), 0)
    assert contents(mail) == (b"\n" + body, text)


@pytest.mark.parametrize(("message", "body"), [
    (b"", 0), (b"Subject: x\n", 11), (b"Subject: x\n\nhello", 11), (b"X-Frontline-Verdict: x\nSubject: x\n\nhello", 11)])
def test_where_the_body_begins(message: bytes, body: bytes) -> None:
    mail = received(message, b"F\0Ta\0\0")

    assert mail.body == body
    contents(mail)


def test_an_envelope_of_many_pieces() -> None:
    """A52: 100,000 recipients; more than a pipe holds, and the final NUL in a piece of its own."""
    text = envelope.build(b"s@example.org", [b"user%d@bench.test" % i for i in range(100_000)])
    mail = received(b"\nx", text)

    assert mail.recipients == 100_000
    assert contents(mail)[1] == text


def test_an_envelope_byte_by_byte() -> None:
    message, pipe = os.open("/dev/null", os.O_RDONLY), os.pipe()
    text = b"Fs@x\0Ta@x\0Tb@x\0\0ignored"

    def drip() -> None:
        for i in range(len(text)):
            os.write(pipe[1], text[i:i + 1])

    feeder = Thread(target=drip)
    feeder.start()
    mail = read_from(message, pipe[0])
    feeder.join()
    for fd in (message, *pipe):
        os.close(fd)

    assert mail.recipients == 2
    assert contents(mail)[1] == b"Fs@x\0Ta@x\0Tb@x\0\0"


@pytest.mark.parametrize(("text", "code"), [
    (b"", 54), (b"F", 54), (b"Fs@x\0", 54), (b"Fs@x\0Ta@x\0", 54), (b"Fs@x\0Ta@x", 54), (b"Fs@x\0\0", 91), (b"X\0", 91),
    (b"\0", 91), (b"Fs@x\0Xa@x\0\0", 91), (b"F" + b"x" * 1003 + b"\0", 11), (b"Fs@x\0T" + b"x" * 1003 + b"\0\0", 11)])
def test_broken_envelopes(text: bytes, code: int) -> None:
    """A52."""
    with pytest.raises(EnvelopeError) as caught:
        received(b"Subject: x\n\n", text)

    assert caught.value.exit_code == code
