"""The error channel: found in every caller, never where none is."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqshim.channel import LINE_MAX, LINES_MAX, TEXT_MAX, Channel, refuse, tell_score
from qqshim.reply import Reply
from qsmtpd.qmail import outcome
from tests.qqshim.callers import spawn

ROOT = Path(__file__).parent.parent.parent
REFUSED = Reply(554, "5.7.1", "sorry, this message contains Eicar")
LATER = Reply(451, "4.3.0", "not now")

DETECT = f"""
import os, sys
sys.path.append({str(ROOT)!r})
from qqshim import channel
found = channel.detect()
os.write(7, repr(None if found is None else (found.fd, found.exit_code, found.reply_lines)).encode())
os._exit(0)
"""


@pytest.fixture
def pipes() -> Iterator[Callable[[], tuple[int, int]]]:
    """Makes pipes, and closes them after the test."""
    made: list[int] = []

    def pipe() -> tuple[int, int]:
        made.extend(os.pipe())
        return made[-2], made[-1]

    yield pipe
    for fd in made:
        os.close(fd)


def detected(descriptors: dict[int, int], **environment: str) -> str:
    """What a process with these descriptors and this environment finds; 0 to 2 are /dev/null where not given."""
    null = os.open("/dev/null", os.O_RDWR)
    read, write = os.pipe()
    pid = spawn([sys.executable, "-I", "-S", "-c", DETECT], environment, {0: null, 1: null, 2: null, 7: write, **descriptors})
    os.close(write)
    os.close(null)
    with open(read) as said:
        text = said.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text


Pipes = Callable[[], tuple[int, int]]


def test_qmail_queues_descriptor(pipes: Pipes) -> None:
    _, write = pipes()

    assert detected({6: write}) == "(6, 82, False)"
    assert detected({4: write}) == "(4, 82, False)"
    assert detected({4: pipes()[1], 6: write}) == "(6, 82, False)"


def test_our_own_caller(pipes: Pipes) -> None:
    _, write = pipes()

    assert detected({6: write}, QQREPLY="6") == "(6, 82, True)"
    assert detected({4: write}, QQREPLY="6") == "(4, 82, False)", "QQREPLY came from somewhere else"
    assert detected({6: write}, QQREPLY="4") == "(6, 82, False)"


def test_error_fd_decides(pipes: Pipes) -> None:
    """As sagredo's qmail and indimail have it; -1 and nonsense say that there is none."""
    _, write = pipes()

    assert detected({4: write}, ERROR_FD="4") == "(4, 88, False)"
    assert detected({2: write}, ERROR_FD="2") == "(2, 88, False)"
    assert detected({6: write}, ERROR_FD="6") == "(6, 82, False)"
    assert detected({9: write, 6: pipes()[1]}, ERROR_FD="9", QQREPLY="6") == "(9, 88, False)"
    for value in ("-1", "", "x", "4.0", "99999999999", "5", "0", "1"):
        assert detected({4: write, 6: write}, ERROR_FD=value) == "None"


def test_decoys(pipes: Pipes, tmp_path: Path) -> None:
    """A file, a socket, a FIFO for reading, a FIFO for both, somebody's descriptor 0, 1 or 2, none at all."""
    read, write = pipes()
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    one, other = socket.socketpair()
    with one, other:
        for fd in (file, both, one.fileno(), read):
            assert detected({4: fd, 6: fd}) == "None"
            assert detected({6: fd}, QQREPLY="6") == "None"
    os.close(file)
    os.close(both)

    assert detected({}) == "None"
    assert detected({2: write, 4: write, 6: write}) == "None", "stderr is a pipe to multilog, and 6 a copy of it"
    assert detected({0: read, 6: write}) == "None"
    assert detected({1: read, 4: write}) == "None"
    assert detected({2: write}) == "None", "descriptor 2 is never guessed"
    assert detected({4: write, 6: read}) == "(4, 82, False)"


def test_error_fd_that_leads_nowhere(pipes: Pipes, tmp_path: Path) -> None:
    """Words are never written into a file, or to a descriptor that is for reading."""
    read, _ = pipes()
    file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)

    assert detected({4: file}, ERROR_FD="4") == "None"
    assert detected({4: read}, ERROR_FD="4") == "None"
    os.close(file)


@pytest.mark.parametrize(("reply_lines", "reply", "words"), [
    (False, REFUSED, b"Dsorry, this message contains Eicar (#5.7.1)"), (False, LATER, b"Znot now (#4.3.0)"),
    (True, REFUSED, b"554 5.7.1 sorry, this message contains Eicar"), (True, LATER, b"451 4.3.0 not now")])
def test_words(reply_lines: bool, reply: Reply, words: bytes) -> None:
    read, write = os.pipe()
    code = refuse(Channel(write, 82, reply_lines=reply_lines), reply)
    os.close(write)
    with open(read, "rb") as said:
        assert said.read() == words

    assert code == 82


@given(st.text(), st.booleans(), st.sampled_from([554, 451]))
def test_words_are_one_clean_line(text: str, reply_lines: bool, code: int) -> None:
    """A44, A45: printable ASCII, no line end, at most 250 bytes (480 for qsmtpd), our code in front and the status whole."""
    status = "5.7.1" if code == 554 else "4.3.0"
    words = Channel(6, 82, reply_lines=reply_lines).words(Reply(code, status, text * 20))

    assert len(words) <= (LINE_MAX if reply_lines else TEXT_MAX)
    assert all(0x20 <= byte < 0x7F for byte in words)
    if reply_lines:
        assert words.startswith(f"{code} {status} ".encode())
    else:
        assert words[:1] == (b"D" if code == 554 else b"Z")
        assert words.endswith(f" (#{status})".encode())


@given(st.lists(st.text(), min_size=1, max_size=20), st.sampled_from([421, 452, 550, 554]))
def test_words_of_several_lines(lines: list[str], code: int) -> None:
    """qsmtpd understands all of them, whatever they hold; others get them on one line."""
    reply = Reply(code, f"{code // 100}.7.1", *lines)
    heard = outcome.from_exit_code(82, Channel(6, 82, reply_lines=True).words(reply))

    assert (heard.code, heard.status, len(heard.lines)) == (code, reply.status, min(len(lines), LINES_MAX))
    assert b"\n" not in Channel(6, 82).words(reply)
    assert outcome.WORDS_MAX > LINES_MAX * (LINE_MAX + 1)


@pytest.mark.parametrize(("reply", "code"), [(REFUSED, 31), (LATER, 71)])
def test_without_words(reply: Reply, code: int) -> None:
    """No channel, or one whose reader has gone."""
    read, write = os.pipe()
    os.close(read)

    assert refuse(None, reply) == code
    assert refuse(Channel(write, 82), reply) == code
    os.close(write)


@pytest.mark.parametrize(("reply_lines", "score", "told"), [
    (True, 7.25, b"score=7.2\n"), (True, None, b""), (False, 7.25, b"")])
def test_the_score_is_told_to_our_own_caller_alone(
        reply_lines: bool, score: float | None, told: bytes, pipes: Pipes) -> None:
    read_end, write_end = pipes()

    tell_score(Channel(write_end, 82, reply_lines=reply_lines), score)
    tell_score(None, score)

    os.set_blocking(read_end, False)
    try:
        said = os.read(read_end, 100)
    except BlockingIOError:
        said = b""
    assert said == told
    assert outcome.told(said)[0] == (7.2 if told else None)
