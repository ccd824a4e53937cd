"""Playing a dialogue: on the bare session in this process, and on a program that serves descriptors 0 and 1."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cdbx

from qsmtpd.checks.base import Mail
from qsmtpd.config import Config
from qsmtpd.drivers.conversation import Conversation
from qsmtpd.drivers.journal import Journal
from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.policy import Policy
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.env import Peer
from qsmtpd.qmail.outcome import Outcome
from qsmtpd.rules.atonce import complete
from qsmtpd.session import Session
from tests.conftest import QmailHome
from tests.transcript import Dialogue

RECEIVED_LINES = 2
PEER = Peer(b"192.0.2.1", None, None, b"mx.bench.test")
Pairs = Iterable[tuple[str, bytes | int | None]]


def prepare(dialogue: Dialogue, home: QmailHome) -> None:
    """Write the dialogue's control files and cdbs."""
    for name, lines in dialogue.control.items():
        (home.control / name).write_bytes(b"".join(line + b"\n" for line in lines))
    for name, keys in dialogue.cdb.items():
        path = home.path / name if "/" in name else home.control / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            maker = cdbx.CDB.make(file)
            for key in keys:
                maker.add(key, b"")
            maker.commit()
    if "rcpthosts" not in dialogue.control:
        (home.control / "rcpthosts").unlink(missing_ok=True)


def pieces(dialogue: Dialogue, way: str) -> list[bytes]:
    """The input whole, line by line, or byte by byte."""
    whole = b"".join(dialogue.sent)
    if way == "whole":
        return [whole]
    if way == "lines":
        return dialogue.sent
    return [whole[i:i + 1] for i in range(len(whole))]


def without_received(message: bytes) -> bytes:
    """The message below the field that we have put on top of it."""
    assert message.startswith(b"Received: from ")
    return b"\n".join(message.split(b"\n")[RECEIVED_LINES:])


class ScriptedWire:
    """A Wire whose client says what it has to say, and does not wait."""

    def __init__(self, said: list[bytes]) -> None:
        self.said = list(said)
        self.answer = b""
        self.slept = 0.0
        self.bytes_in = self.bytes_out = 0

    async def wait(self) -> None:
        raise AssertionError("there is nothing to wait for")

    def read(self, answer: bytes = b"") -> bytes:
        self.answer += answer
        return self.said.pop(0) if self.said else b""

    async def write(self, data: bytes) -> None:
        self.answer += data

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds

    async def close(self, data: bytes, linger: bool) -> None:
        self.answer += data


class RecordingQueue:
    """A Queue that keeps what was queued whole."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.number = 7
        self.queued: list[tuple[bytes, bytes]] = []
        self.opened: list[tuple[dict[bytes, bytes], bool]] = []
        self.aborted = 0
        self._outcome = outcome or Outcome(0, "2.0.0", ())
        self._message: bytes | None = None

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        self.opened.append((told, hold))
        self._message = b""

    async def write(self, data: bytes) -> None:
        assert self._message is not None
        self._message += data

    async def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        assert self._message is not None
        if not self._outcome.code:
            envelope = b"F%b\0%b\0" % (sender, b"".join(b"T%b\0" % recipient for recipient in recipients))
            self.queued.append((self._message, envelope))
        self._message = None
        return self._outcome

    async def abort(self) -> None:
        self.aborted += self._message is not None
        self._message = None


class Played:
    """A conversation in this process, and what came of it."""

    def __init__(self, home: QmailHome, env: dict[str, bytes], said: list[bytes], queue: RecordingQueue | None = None) -> None:
        self.wire = ScriptedWire(said)
        self.queue = queue or RecordingQueue()
        self.lines: list[tuple[str, dict[str, bytes | int | None]]] = []
        control = Control(str(home.control))
        journal = Journal("1.1", self._log)
        with environment(env):
            config = Config(control)
        lookups = BlockingLookups(control, str(home.path), now=time.time(), note=journal.note_lookup)
        self.policy = Policy(config, Mail(PEER, env.get), lookups, journal.note_rule)
        self.quit = complete(Conversation(
            session=Session(config.replies.goodbye, config.databytes, config.maxnotimpl), policy=self.policy, peer=PEER,
            wire=self.wire, queue=lambda: self.queue, journal=journal, own_fields=config.rules.fields()).run())

    def _log(self, lines: list[tuple[str, Pairs]]) -> None:
        self.lines += [(event, dict(pairs)) for event, pairs in lines]


@contextlib.contextmanager
def environment(values: dict[str, bytes]) -> Iterator[None]:
    before = dict(os.environb)
    os.environb.update({name.encode(): value for name, value in values.items()})
    try:
        yield
    finally:
        os.environb.clear()
        os.environb.update(before)


def run_program(argv: list[str | Path], home: QmailHome, env: dict[str, bytes], said: bytes) -> tuple[bytes, bytes, int]:
    """A program on pipes: what it answered, what it logged, its exit code."""
    variables = {b"QMAILHOME": bytes(home.path), b"PATH": b"/usr/bin:/bin", **{k.encode(): v for k, v in env.items()}}
    done = subprocess.run([str(word) for word in argv], input=said, capture_output=True, timeout=60, env=variables, check=False)
    return done.stdout, done.stderr, done.returncode
