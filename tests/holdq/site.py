"""A throw-away site with a spool: mail in, runner, mail out; and processes that die where they are told."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdq import create
from holdq.attempt import Attempt
from holdq.heldfile import HeldFile, Recipient
from holdq.incoming import Arrival
from holdq.layout import Spool
from holdq.names import Held
from holdq.recover import recover
from holdq.store import Store
from holdq.targets import Result, Target, Verdict
from qsmtpd.qmail import envelope
from tests.servers import Service, running

ROOT = Path(__file__).parent.parent.parent
NOW = 1_800_000_000.0
"""A time to pass, where the code takes the time as an argument."""
HOLDQ = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from holdq.main import main; main()")
QUEUE_CODE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from holdq.enqueue import main; main()"
HOLDQ_QUEUE = (sys.executable, "-I", "-S", "-c", QUEUE_CODE)
END = b"the end\n"
"""The last line of every message, so that a part of one is known."""


class Site:
    """A QMAILHOME with control files, a spool under one uid, and Maildirs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.control = path / "control"
        self.control.mkdir(parents=True)
        (path / "bin").mkdir()
        self.spool = Spool(str(path / "holdq"))
        create.create(self.spool, create.owner(one_uid=True))
        self.store = Store(self.spool)
        self.users = {"*": "all"}
        self.write_users()
        self.lines: list[tuple[str, dict[str, bytes | int | None]]] = []

    def write(self, name: str, text: str) -> None:
        (self.control / name).write_text(f"{text}\n")

    def write_users(self) -> None:
        for name in self.users.values():
            for part in ("tmp", "new", "cur"):
                (self.path / name / part).mkdir(parents=True, exist_ok=True)
        self.write("holdqusers", "\n".join(f"{address} {self.path / name}" for address, name in self.users.items()))

    def mail(self, name: str = "all") -> list[bytes]:
        """What is in a Maildir's new/, in the order of the names."""
        return [path.read_bytes() for path in sorted((self.path / name / "new").iterdir())]

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "QMAILHOME": str(self.path), "HOLDQLOAD": "9999", **more}

    def queue(self, body: bytes = b"Subject: x\n\n" + END, envelope_: bytes = b"Fa@b.c\0Tx@y.z\0\0", **more: str
              ) -> subprocess.CompletedProcess[bytes]:
        """Run holdq-queue."""
        return run_queue(HOLDQ_QUEUE, self.path, body, envelope_, self.environment(**more))

    def holdq(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of holdq."""
        return subprocess.run([*HOLDQ, *arguments], env=self.environment(**more), capture_output=True, text=True, check=False,
                              timeout=60)

    @contextmanager
    def runner(self, **more: str) -> Iterator[Service]:
        """A runner for the time of a with statement."""
        log = self.path / "log"
        log.write_text("")
        with running([*HOLDQ, "run"], log, lambda: "start" in log.read_text(), env=self.environment(**more)) as service:
            yield service

    def put(self, body: bytes = b"Subject: x\n\n" + END, sender: bytes = b"a@b.c", *recipients: bytes, now: float = NOW) -> str:
        """Store a message, without a process; returns its ID."""
        arrival = Arrival(self.spool, os.geteuid(), 77, -1, now)
        arrival.message(body)
        arrival.envelope(envelope.build(sender, list(recipients or (b"x@y.z",))))
        arrival.accept()
        return arrival.identity

    def hold(self, body: bytes = b"Subject: x\n\n" + END, sender: bytes = b"a@b.c", *recipients: bytes, now: float = NOW
             ) -> Held:
        """Store a message and claim it."""
        return self.store.claim(self.put(body, sender, *recipients, now=now))

    def log(self, event: str, pairs: object) -> None:
        self.lines.append((event, dict(pairs)))  # type: ignore[call-overload]

    def attempt(self, target: Target, held: Held, now: float = NOW, lifetime: int = 604800) -> Held | None:
        return Attempt(self.store, target, lifetime, self.log).run(held, now)

    def recover(self) -> list[tuple[str, str]]:
        """Recover as a runner does at its start; returns what was odd."""
        odd: list[tuple[str, str]] = []
        recover(self.store, lambda path, why: odd.append((path, why)))
        return odd

    def drain(self, target: Target) -> None:
        """What a new runner does, until nothing is left that it would try."""
        self.recover()
        for identity in self.store.arrivals()[0]:
            self.store.claim(identity)
        for _ in range(10):
            for held in self.store.held()[0]:
                self.attempt(target, held)

    def left(self) -> list[str]:
        """Every file of the spool but its fixed ones."""
        fixed = {"lock", "trigger", "door"}
        return sorted(str(path.relative_to(self.spool.directory)) for path in Path(self.spool.directory).rglob("*")
                      if not path.is_dir() and path.name not in fixed)


def run_queue(program: Sequence[str | Path], path: Path, body: bytes, envelope_: bytes, environment: dict[str, str]
              ) -> subprocess.CompletedProcess[bytes]:
    """Run a QMAILQUEUE program as qmail does, its descriptor 1 the envelope."""
    place = path / f"give-{os.urandom(6).hex()}"
    place.write_bytes(envelope_)
    try:
        with place.open("rb") as one:
            return subprocess.run([str(word) for word in program], input=body, stdout=one, stderr=subprocess.PIPE,
                                  env=environment, check=False, timeout=60)
    finally:
        place.unlink()


class Scripted:
    """A target that writes what it delivers to a file, a line each, and says of each address what it was told to say."""

    def __init__(self, path: Path, says: dict[bytes, Result] | None = None) -> None:
        self.path = path
        self.says = says or {}

    def deliver(self, identity: str, file: HeldFile, recipients: Iterator[Recipient]
                ) -> Iterator[tuple[Sequence[Recipient], Result]]:
        for recipient in recipients:
            result = self.says.get(recipient.address, Result(Verdict.DELIVERED))
            if result.verdict is Verdict.DELIVERED:
                whole = b"".join(file.body()).endswith(END)
                with self.path.open("ab", buffering=0) as output:
                    output.write(b"%b %b %s\n" % (identity.encode(), recipient.address, b"whole" if whole else b"part"))
            yield [recipient], result

    def delivered(self) -> list[bytes]:
        return self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []


STEPS = ("open", "write", "pwrite", "fsync", "fchmod", "rename", "link", "unlink", "mkdir", "posix_spawn", "waitpid")
"""The calls before each of which a process may be killed."""


def dies(step: int, operation: Callable[[], object]) -> bool:
    """Run the operation in a child that SIGKILLs itself before its call number step, from 1 on; False if it came to its end."""
    child = os.fork()
    if not child:
        try:
            before_each(lambda count, _: os.kill(os.getpid(), signal.SIGKILL) if count == step else None)
            operation()
            os._exit(0)
        finally:
            os._exit(3)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the operation failed by itself"
    return os.WIFSIGNALED(status)


def before_each(note: Callable[[int, str], None]) -> None:
    """From now on, in this process, call note(number, what) before each of STEPS."""
    count = 0

    def wrapped(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            nonlocal count
            count += 1
            note(count, f"{name} {shown(arguments[0])}")
            return real(*arguments, **named)
        return call

    for name in STEPS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def shown(argument: object) -> str:
    """A path's last two parts; for a descriptor those of what it is open on."""
    if isinstance(argument, int):
        try:
            argument = os.readlink(f"/proc/self/fd/{argument}")
        except OSError:
            return "-"
    return "/".join(str(argument).split("/")[-2:])
