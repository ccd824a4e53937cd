"""Deliver into Maildirs (maildir(5)): the embedded default, which needs no qmail.

control/holdqusers says whose is which, "address path" a line, no regard to letter case; "@domain path" takes the rest of a
domain, "* path" the rest of the world; the path begins with a slash.  It is read again when it has changed.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from qsmtpd.qmail import durable
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.logline import quote

from ..config import USERS
from ..heldfile import HeldFile, Recipient
from . import Result, Verdict

_FIELD_SAFE = bytes(byte if 0x20 <= byte < 0x7F or byte >= 0x80 else ord("_") for byte in range(256))
_ATOM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_NAME_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")


class Users:
    """The list of users, kept as long as the file does not change."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._seen: tuple[int, int, int] | None = None
        self._paths: dict[bytes, str] = {}

    def path(self, address: bytes) -> str | None:
        """The Maildir of an address; None when it has none.

        Raises:
            ControlError: the list is absent, cannot be read or makes no sense.
        """
        self._refresh()
        address = address.lower()
        domain = address[address.rfind(b"@"):] if b"@" in address else b""
        for key in (address, domain, b"*"):
            if key and key in self._paths:
                return self._paths[key]
        return None

    def _refresh(self) -> None:
        path = self._control.path(USERS)
        try:
            status = os.stat(path)
        except OSError as error:
            raise self._control.error(USERS, os.strerror(error.errno or 0)) from error
        now = (status.st_ino, status.st_mtime_ns, status.st_size)
        if now != self._seen:
            self._paths = self._parsed()
            self._seen = now

    def _parsed(self) -> dict[bytes, str]:
        try:
            return parse(self._control.lines(USERS) or [])
        except ValueError as error:
            raise self._control.error(USERS, str(error)) from error


def parse(lines: list[bytes]) -> dict[bytes, str]:
    """Address: path, from the lines of the list; the first line for an address counts.

    Raises:
        ValueError: a line is not of that form; the message can be shown to a person.
    """
    paths: dict[bytes, str] = {}
    for line in lines:
        address, *rest = line.split(maxsplit=1)
        if len(rest) != 1 or not rest[0].startswith(b"/"):
            raise ValueError(f'expected "address /path/of/Maildir", found {quote(line[:60])}')
        paths.setdefault(address.lower(), os.fsdecode(rest[0].rstrip(b"/")))
    return paths


class MaildirTarget:
    """The target maildir."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._host = "".join(c if c in _NAME_SAFE else "_" for c in socket.gethostname()) or "localhost"

    def deliver(self, identity: str, file: HeldFile, recipients: Iterator[Recipient]
                ) -> Iterator[tuple[Sequence[Recipient], Result]]:
        """One file for each recipient."""
        for recipient in recipients:
            yield [recipient], self._one(identity, file, recipient)

    def _one(self, identity: str, file: HeldFile, recipient: Recipient) -> Result:
        try:
            maildir = self._users.path(recipient.address)
        except ControlError as error:
            return Result(Verdict.LATER, str(error))
        if maildir is None:
            return Result(Verdict.FAILED, "no mailbox here by that name")
        time, _, random = identity.partition("-")
        name = f"{int(time, 16)}.{random}R{recipient.offset}.{self._host}"
        head = b"Return-Path: <%b>\nDelivered-To: %b\n" % (quoted(file.sender), field(recipient.address))
        try:
            return self._store(maildir, name, head, file)
        except NotADirectoryError:
            return Result(Verdict.LATER, f"{maildir}: it, tmp or new is not a directory; a symbolic link is not followed")
        except OSError as error:
            return Result(Verdict.LATER, f"{maildir}: {error.strerror}")

    @staticmethod
    def _store(maildir: str, name: str, head: bytes, file: HeldFile) -> Result:
        """The name is the same at every attempt: after a crash a second delivery takes the place of the first.

        On descriptors, so that a user's link cannot lead us, who may be root, to somebody else's directory.
        """
        with ExitStack() as stack:
            top = _directory(stack, maildir)
            tmp, new = (f"/proc/self/fd/{_directory(stack, part, top)}/{name}" for part in ("tmp", "new"))
            return _write(tmp, new, head, file)


def _directory(stack: ExitStack, path: str, parent: int | None = None) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    stack.callback(os.close, fd)
    return fd


def _write(temporary: str, target: str, head: bytes, file: HeldFile) -> Result:
    if os.path.lexists(temporary):
        durable.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        durable.write_all(fd, head)
        for piece in file.body():
            durable.write_all(fd, piece)
        durable.sync_file(fd)
        durable.rename(temporary, target)
    except OSError:
        _discard(temporary)
        raise
    finally:
        os.close(fd)
    return Result(Verdict.DELIVERED)


def field(address: bytes) -> bytes:
    """An address as it stands in a header field: whatever could end the line is "_", as qmail-local makes it."""
    return address.translate(_FIELD_SAFE)


def quoted(address: bytes) -> bytes:
    """A sender as it stands within <>: a local part that is more than atoms and dots in quotes (qmail's quote2)."""
    local, at, domain = address.rpartition(b"@") if b"@" in address else (address, b"", b"")
    if local and not (_ATOM.issuperset(local) and b".." not in local and local[:1] != b"." and local[-1:] != b"."):
        local = b'"%b"' % field(local).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    domain = field(domain).translate(bytes(ord("_") if byte in b"<> " else byte for byte in range(256)))
    return local + at + domain


def _discard(path: str) -> None:
    try:
        durable.unlink(path)
    except OSError:
        pass
