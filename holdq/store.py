"""The transitions of INTERNALS.md section 5 that come after acceptance: the only module that renames and unlinks messages.

Each function leaves the spool in a state of section 4 wherever it is interrupted.  OSError means trouble with the disk, and
that the message is still in the state it was in, or already in the next one.
"""

import os
import stat

from qsmtpd.qmail import durable

from . import layout, names
from .heldfile import FAILED, TO_DO, HeldFile, OddError
from .names import Held

WHY_MAX = 65536
"""Bytes of reasons that are kept for a message."""
ODD_NAME_MAX = 60


class Store:
    """The messages of one spool."""

    def __init__(self, spool: layout.Spool) -> None:
        self.spool = spool

    # What is there

    def arrivals(self) -> tuple[list[str], list[str]]:
        """The names in incoming/: those of accepted messages, in the order of arrival, and those that are odd."""
        accepted, odd = [], []
        for name in os.listdir(self.spool.incoming):
            if layout.is_id(name):
                accepted.append(name)
            elif not layout.is_id(name.removeprefix(layout.PART)):
                odd.append(name)
        return sorted(accepted), odd

    def parts(self) -> list[str]:
        """The names in incoming/ of messages that are being written, or were when their writer died."""
        return [name for name in os.listdir(self.spool.incoming)
                if name.startswith(layout.PART) and layout.is_id(name.removeprefix(layout.PART))]

    def held(self) -> tuple[list[Held], list[str]]:
        """The messages in hold/, and the names there that are odd."""
        return _parsed(self.spool.hold)

    def buried(self) -> tuple[list[Held], list[str]]:
        """The messages in dead/, and the names there that are odd."""
        return _parsed(self.spool.dead)

    def open(self, held: Held, *, dead: bool = False, lock: bool = True) -> HeldFile:
        """The file of a message; errors as HeldFile()."""
        return HeldFile(self.path(held, dead=dead), lock=lock)

    def path(self, held: Held, *, dead: bool = False) -> str:
        """Where the file of a message is."""
        return f"{self.spool.dead if dead else self.spool.hold}/{held.name}"

    def why(self, identity: str) -> str:
        """The reasons of the last attempt, "" when there are none; lines as tell_why() got them."""
        try:
            fd = os.open(f"{self.spool.why}/{identity}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return ""
        try:
            return os.read(fd, WHY_MAX).decode("ascii", "backslashreplace")
        finally:
            os.close(fd)

    # S2 to S3

    def claim(self, identity: str, *, released: bool = False) -> Held:
        """Take an accepted message over.

        Raises:
            OddError: it is no file of ours by its looks.
            FileNotFoundError: it is not there any more.
        """
        path = f"{self.spool.incoming}/{identity}"
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise OddError("not a regular file, or one with another link")
        held = Held(identity, released=released)
        durable.rename(path, self.path(held))
        return held

    # S3 to S4 and on; the message's lock is held

    def begin(self, held: Held) -> Held:
        """Record an attempt, before it is made."""
        return self._renamed(held, held.begun())

    def tell_why(self, identity: str, why: str) -> None:
        """Keep the reasons of an attempt."""
        durable.replace_file(f"{self.spool.why}/{identity}", why.encode("ascii", "backslashreplace")[:WHY_MAX], 0o600)

    def postpone(self, held: Held, due: int) -> Held:
        """The attempt has ended; the next is due then."""
        return self._renamed(held, held.waiting(due))

    def bury(self, held: Held) -> Held:
        """No further attempt; why() says why already."""
        buried = held.waiting(0)
        durable.rename(self.path(held), self.path(buried, dead=True))
        return buried

    def finish(self, held: Held, *, dead: bool = False) -> None:
        """The message is delivered, or a person removes it."""
        durable.unlink(self.path(held, dead=dead))
        self.forget_why(held.identity)

    def drop(self, identity: str) -> None:
        """A person removes a message that the runner has not seen."""
        durable.unlink(f"{self.spool.incoming}/{identity}")

    def forget_why(self, identity: str) -> None:
        """Remove the reasons, if there are any."""
        try:
            durable.unlink(f"{self.spool.why}/{identity}")
        except FileNotFoundError:
            pass

    # By hand; the message's lock is held

    def release(self, held: Held) -> Held:
        """Have it tried now, past the gate."""
        return self._renamed(held, held.let_go())

    def revive(self, held: Held, file: HeldFile) -> Held:
        """Bring a dead message back: those who failed for good are tried again, those who have it are not."""
        file.mark([recipient.offset for recipient in file.recipients() if recipient.mark == FAILED], TO_DO)
        alive = held.let_go()
        durable.rename(self.path(held, dead=True), self.path(alive))
        return alive

    # What is odd

    def put_aside(self, directory: str, name: str) -> str:
        """Rename what is not ours into odd/; returns its name there, which is ours.

        Raises:
            OSError: even that cannot be done.
        """
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name[:ODD_NAME_MAX])
        aside = f"{os.urandom(4).hex()}.{safe}"
        durable.rename(f"{directory}/{name}", f"{self.spool.odd}/{aside}")
        return aside

    def odd(self) -> int:
        """How many things were put aside."""
        return len(os.listdir(self.spool.odd))

    def _renamed(self, old: Held, new: Held) -> Held:
        durable.rename(self.path(old), self.path(new))
        return new


def _parsed(directory: str) -> tuple[list[Held], list[str]]:
    held, odd = [], []
    for name in os.listdir(directory):
        try:
            held.append(names.parse(name))
        except ValueError:
            odd.append(name)
    return held, odd
