"""holdq-queue over the door: its exit codes."""

import os
import socket
import threading
from pathlib import Path

import pytest

from holdq.incoming import NotHeldError
from holdq.knock import Door
from qsmtpd.qmail.envelope import EnvelopeError
from tests.holdq.site import END, Site
from tests.holdq.test_door import opened
from tests.servers import wait_until

ENVELOPE = b"Fa@b.c\0Tx@y.z\0\0"


def give(site: Site, *pieces: bytes) -> None:
    sink = Door(site.spool)
    for piece in pieces:
        sink.message(piece)
    assert sink.envelope(ENVELOPE)
    sink.accept()


def test_a_large_message_arrives_whole(site: Site) -> None:
    body = os.urandom(3_000_000)
    with opened(site):
        give(site, *(body[start:start + 65536] for start in range(0, len(body), 65536)))

    name, = site.left()
    assert body in Path(site.spool.directory, name).read_bytes()


def test_no_runner_is_74(site: Site) -> None:
    with pytest.raises(NotHeldError) as caught:
        Door(site.spool)
    assert caught.value.exit_code == 74

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(site.spool.door)
    with pytest.raises(NotHeldError) as caught:
        Door(site.spool)
    assert caught.value.exit_code == 74


def test_an_incomplete_envelope_is_our_caller_giving_up(site: Site) -> None:
    with opened(site):
        sink = Door(site.spool)
        sink.message(END)
        assert not sink.envelope(ENVELOPE[:-1])
        with pytest.raises(EnvelopeError) as caught:
            sink.accept()
        assert caught.value.exit_code == 54
        sink.discard()
        wait_until(lambda: site.left() == [])


@pytest.mark.parametrize(("answer", "code"), [(b"", 74), (b"\x35", 53), (b"\x47", 71)])
def test_the_answer_is_the_exit_code(site: Site, answer: bytes, code: int) -> None:
    """Also one that comes before everything was sent; and a runner that dies is 74."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(site.spool.door)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NotHeldError) as caught:
            give(site, *[bytes(65536)] * 50)
        thread.join()

    assert caught.value.exit_code == code
