"""holdq run: one message at a time, when the machine can bear it, until it is told to stop (holdq(8)).

TERM finishes the message in hand and ends; ALRM makes every retry due; HUP reads the settings again.
"""

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

from qsmtpd.qmail import env, logline
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.settings import Settings

from . import config, layout, load, recover
from .attempt import Attempt
from .door import Door
from .heldfile import BusyError, OddError
from .names import Held
from .schedule import Schedule, delay
from .store import Store
from .targets import Target
from .targets.command import CommandTarget
from .targets.maildir import MaildirTarget, Users
from .targets.queue import QueueTarget

LOOK_SECONDS = 60.0
"""A look into incoming/ at least so often, should a poke be lost."""
RECOVER_SECONDS = 600.0
"""A look at everything, and clean-up, at least so often."""
CLAIMS = 200
"""So many messages are taken over between two deliveries."""
GATE_SECONDS = 5.0
"""How long a closed gate stays closed before we ask again."""
BUSY_SECONDS = 0.05
"""How long to leave alone a message that somebody else has in hand; twice as long each time."""
BUSY_MAX = 60.0
BUSY_SAY = 1.0
"""Who has it in hand so long is worth a line."""
SAY_SECONDS = 600.0
"""The same trouble is logged at most so often."""
FAREWELL_SECONDS = 10.0
"""For visitors at the door, after TERM."""


class CannotRunError(Exception):
    """The runner cannot start; str() says what to do about it."""


class Orders(NamedTuple):
    """What the settings say.

    target       where mail goes
    lifetime     seconds after which mail is given up
    limits       of the gate
    network_uid  whose mail at the door is from the network
    """

    target: Target
    lifetime: int
    limits: load.Limits
    network_uid: int


def orders(settings: Settings, control: Control, spool: layout.Spool) -> Orders:
    """From the settings.

    Raises:
        ControlError: one of them makes no sense.
    """
    limits = load.limits(settings.number("holdqload"), settings.number("holdqmemory"), load.processors())
    return Orders(_target(settings, control, spool), settings.number("queuelifetime"), limits,
                  config.network_uid(settings))


def _target(settings: Settings, control: Control, spool: layout.Spool) -> Target:
    word = settings.text("holdqtarget") or b"maildir"
    if word.startswith(b"|"):
        argv = [os.fsdecode(part) for part in word[1:].split()]
        if not argv or not argv[0].startswith("/"):
            raise ControlError('holdqtarget: after "|" comes the path of a program, beginning with a slash')
        return CommandTarget(argv, settings.number("holdqtimeout"), spool.hold)
    if word == b"queue":
        program = os.fsdecode(settings.text("holdqnext") or b"") or f"{env.qmail_home()}/bin/qmail-queue"
        if os.path.basename(os.path.realpath(program)) == "holdq-queue":
            raise ControlError("holdqnext: holdq-queue itself: all mail would go round for ever")
        return QueueTarget(program)
    if word == b"maildir":
        return MaildirTarget(Users(control))
    raise ControlError(f"holdqtarget: expected maildir, queue or |PROGRAM, found {logline.quote(word[:60])}")


def lock(spool: layout.Spool) -> int:
    """The runner's lock, held as long as the descriptor is open.

    Raises:
        CannotRunError: another runner has it, or there is no spool.
    """
    try:
        fd = os.open(spool.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotRunError(f"{spool.lock}: another runner is at work") from error
    except OSError as error:
        raise CannotRunError(f"{spool.lock}: {error.strerror}") from error
    return fd


class Runner:
    """The runner; the caller holds the lock."""

    def __init__(self, spool: layout.Spool, control: Control) -> None:
        """Reads the settings.

        Raises:
            ControlError: one of them makes no sense.
        """
        self._spool = spool
        self._control = control
        self._store = Store(spool)
        self._schedule = Schedule()
        self._said: dict[str, float] = {}
        self._stuck: set[str] = set()
        self._busy: dict[str, float] = {}
        self._replace = False
        self._looked = self._recovered = float("-inf")
        self._asked_gate = float("-inf")
        self._gate: str | None = None
        self._term = self._alrm = self._hup = False
        self._orders = orders(Settings(config.RUN_SETTINGS, control), control, spool)

    def run(self) -> None:
        """Until TERM.

        Raises:
            OSError: the trigger or the door cannot be made.
        """
        wakeup = self._catch_signals()
        trigger = _open_trigger(self._spool)
        door = Door(self._spool, self._orders.network_uid, log)
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(trigger, select.POLLIN)
        log("start", (("pid", os.getpid()), ("uid", os.geteuid())))
        while not self._term:
            self._obey(door)
            self._look(_read_all(trigger))
            pause = self._step(time.time())
            if pause and not self._term:
                poll.poll(pause * 1000)
                _read_all(wakeup)
        door.close(FAREWELL_SECONDS)
        log("stop", (("pid", os.getpid()), ("held", len(self._schedule))))

    def _catch_signals(self) -> int:
        """A descriptor that becomes readable when a signal comes, so that none is slept over."""
        def note(number: int, _: object) -> None:
            if number == signal.SIGALRM:
                self._alrm = True
            elif number == signal.SIGHUP:
                self._hup = True
            else:
                self._term = True

        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
            signal.signal(number, note)
        return reader

    def _obey(self, door: Door) -> None:
        if self._hup:
            self._hup = False
            try:
                self._orders = orders(Settings(config.RUN_SETTINGS, self._control), self._control, self._spool)
                door.network_uid = self._orders.network_uid
                log("settings", (("why", b"read again"),))
            except ControlError as error:
                log("settings", (("why", f"kept as they were: {error}".encode()),))
            self._asked_gate = float("-inf")
        if self._alrm:
            self._alrm = False
            self._schedule.all_due()

    def _look(self, poked: bytes) -> None:
        """See what is new, and now and then see to everything."""
        clock = time.monotonic()
        try:
            if clock - self._recovered > RECOVER_SECONDS:
                recover.recover(self._store, self._report)
                self._recovered = clock
                self._stuck.clear()
                poked += b"r"
            if b"r" in poked or len(poked) >= layout.TRIGGER_BYTES:  # full: an "r" may have found no room
                self._replace = True
            if self._replace:
                self._schedule.replace(self._store.held()[0], time.time())
                self._replace = False
            if poked or clock - self._looked > LOOK_SECONDS:
                self._looked = clock if self._claim() else float("-inf")
        except OSError as error:
            self._trouble(f"the spool: {error}")
            self._looked = clock - LOOK_SECONDS + GATE_SECONDS

    def _claim(self) -> bool:
        """Take over what has come in, some at a time, so that a flood does not stop deliveries; whether that was all.

        What cannot be put aside is left alone until the next recovery: it must not stand in the way of mail.
        """
        accepted, odd = self._store.arrivals()
        self._stuck.intersection_update([*accepted, *odd])
        for name in odd:
            self._aside(name, OddError("not the name of a message"))
        claimed = 0
        for identity in accepted:
            if claimed == CLAIMS:
                return False
            if identity in self._stuck:
                continue
            try:
                self._schedule.add(self._store.claim(identity), time.time())
                claimed += 1
            except FileNotFoundError:
                continue
            except OddError as error:
                self._aside(identity, error)
        return True

    def _aside(self, name: str, error: OddError) -> None:
        if name not in self._stuck and not recover.aside(self._store, self._spool.incoming, name, error, self._report):
            self._stuck.add(name)

    def _step(self, now: float) -> float:
        """Try one message; returns the seconds to wait before the next step, 0 when there may be more to do."""
        held = self._schedule.next(now, released_only=self._gate_closed(now))
        if held:
            self._try(held, now)
            return 0
        if self._gate:
            return GATE_SECONDS
        wake = self._schedule.wake(now)
        look = max(0.001, self._looked + LOOK_SECONDS - time.monotonic())
        return look if wake is None else max(0.001, min(wake, look))

    def _try(self, held: Held, now: float) -> None:
        attempt = Attempt(self._store, self._orders.target, self._orders.lifetime, log)
        try:
            waiting = attempt.run(held, now)
        except FileNotFoundError:
            self._replace = True  # removed, or renamed by a person: see under which name
        except BusyError:
            self._leave_alone(held, now)
            return
        except OddError as error:
            recover.aside(self._store, self._spool.hold, held.name, error, self._report)
        except Exception as error:  # trouble with the disk, or a fault of ours: the attempt stays on record as one without end
            self._trouble(os.strerror(error.errno or 0) if isinstance(error, OSError) and not isinstance(error, PermissionError)
                          else f"{held.identity}: {error!r}")
            self._find_again(held, now)
        else:
            if waiting:
                self._schedule.add(waiting, now)
        self._busy.pop(held.identity, None)

    def _leave_alone(self, held: Held, now: float) -> None:
        """Somebody else has it in hand: a person for a moment, or a program that forgot its lock."""
        wait = self._busy[held.identity] = min(BUSY_MAX, 2 * self._busy.get(held.identity, BUSY_SECONDS / 2))
        self._schedule.add(held, now, now + wait)
        if wait >= BUSY_SAY:
            self._say(f"busy {held.identity}", "fault", (("id", held.identity.encode()), ("why", b"locked by another process")))

    def _find_again(self, held: Held, now: float) -> None:
        """Put a message back, under the name that it has on the disk now, to be tried after a while."""
        for name in (held.begun(), held):
            if os.path.lexists(self._store.path(name)):
                self._schedule.add(name, now, now + delay(name.crashes))
                return

    def _gate_closed(self, now: float) -> bool:
        """Ask the machine, when there is something to deliver, at most every GATE_SECONDS while it does badly."""
        clock = time.monotonic()
        if not self._gate or clock - self._asked_gate >= GATE_SECONDS:
            self._asked_gate = clock
            before, self._gate = self._gate, load.closed(load.read(), self._orders.limits)
            if self._gate and (waiting := self._schedule.ready(now)):
                self._say("gate", "gate", (("state", b"closed"), ("why", self._gate.encode()), ("waiting", waiting)))
            elif before and not self._gate and self._said.pop("gate", None):
                log("gate", (("state", b"open"),))
        return self._gate is not None

    def _report(self, path: str, why: str) -> None:
        self._say(path, "odd", (("file", os.fsencode(path)), ("why", why.encode("ascii", "backslashreplace"))))

    def _trouble(self, why: str) -> None:
        self._say(why, "fault", (("why", why.encode("ascii", "backslashreplace")),))

    def _say(self, key: str, event: str, pairs: Iterable[tuple[str, bytes | int | None]]) -> None:
        """Log it, but not the same thing again and again."""
        clock = time.monotonic()
        self._said = {known: at for known, at in self._said.items() if clock - at < SAY_SECONDS}
        if key not in self._said:
            self._said[key] = clock
            log(event, pairs)


def log(event: str, pairs: Iterable[tuple[str, bytes | int | None]]) -> None:
    """One line to multilog."""
    logline.write(event, pairs)


def _open_trigger(spool: layout.Spool) -> int:
    """The FIFO for reading.  Opened for writing too, or it would always be readable once the first writer has gone."""
    return os.open(spool.trigger, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)


def _read_all(fd: int) -> bytes:
    data = b""
    try:
        while piece := os.read(fd, 65536):
            data += piece
            if len(piece) < 65536:
                break
    except BlockingIOError:
        pass
    return data
