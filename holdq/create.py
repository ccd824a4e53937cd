"""Making a spool, and looking whether one is as it should be (INTERNALS.md section 1)."""

import grp
import os
import pwd
import stat
from typing import NamedTuple

from qsmtpd.qmail import durable

from .layout import Spool

ACCOUNT = "holdq"
DOOR_MAX = 107
"""Bytes of a unix socket's path (unix(7))."""


class SpoolError(Exception):
    """The spool is not as it should be; str() says what to do, in one line."""


class Owner(NamedTuple):
    """Whose the spool is to be."""

    uid: int
    gid: int


def owner(*, one_uid: bool) -> Owner:
    """holdq:holdq when root makes the spool, unless everything runs under one uid.

    Raises:
        SpoolError: there is no such account.
    """
    if one_uid or os.geteuid():
        return Owner(os.geteuid(), os.getegid())
    try:
        return Owner(pwd.getpwnam(ACCOUNT).pw_uid, grp.getgrnam(ACCOUNT).gr_gid)
    except KeyError as error:
        raise SpoolError(f"no account or group {ACCOUNT} here: make it first (examples/accounts), or say --one-uid") from error


def _directories(spool: Spool) -> dict[str, int]:
    return {spool.directory: 0o2755, spool.incoming: 0o2770, spool.hold: 0o700, spool.dead: 0o700, spool.why: 0o700,
            spool.odd: 0o700}


def create(spool: Spool, owner: Owner) -> None:
    """Make what is missing, and set owner and mode of what is there; safe to repeat.

    Raises:
        SpoolError: something else stands in the way.
        OSError: it cannot be done.
    """
    _fits(spool)
    parent = os.path.dirname(os.path.abspath(spool.directory))
    if not os.path.isdir(parent):
        raise SpoolError(f"{parent}: no such directory: make the parent directory first")
    for directory, mode in _directories(spool).items():
        if not os.path.lexists(directory):
            os.mkdir(directory, 0o700)
        _settle(directory, owner, mode, os.O_DIRECTORY)
    if not os.path.lexists(spool.trigger):
        os.mkfifo(spool.trigger, 0o600)
    if not stat.S_ISFIFO(os.lstat(spool.trigger).st_mode):
        raise SpoolError(f"{spool.trigger}: not a FIFO: remove it, and try again")
    _settle(spool.trigger, owner, 0o620, 0)
    os.close(os.open(spool.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    _settle(spool.lock, owner, 0o600, 0)
    durable.sync_directory(spool.directory)
    durable.sync_directory(parent)


def _fits(spool: Spool) -> None:
    if len(os.fsencode(spool.door)) > DOOR_MAX:
        raise SpoolError(f"{spool.directory}: too long a path for its socket: at most {DOOR_MAX - len('/door')} bytes")


def _settle(path: str, owner: Owner, mode: int, flags: int) -> None:
    """On a descriptor, so that nobody puts a link in the path's place."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags)
    try:
        if not flags and os.fstat(fd).st_nlink > 1:
            raise SpoolError(f"{path}: has another link: remove it, and try again")
        os.fchown(fd, owner.uid, owner.gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def check(spool: Spool) -> None:
    """Refuse a spool in which others could plant, change or read mail, and one that is not ours.

    Raises:
        SpoolError: it is so.
    """
    _fits(spool)
    if not os.path.isdir(spool.directory):
        raise SpoolError(f'{spool.directory}: no spool there: make it with "holdq init"')
    for directory, wanted in _directories(spool).items():
        try:
            status = os.lstat(directory)
        except OSError as error:
            raise SpoolError(f'{directory}: {error.strerror}: "holdq init" makes it') from error
        if not stat.S_ISDIR(status.st_mode):
            raise SpoolError(f"{directory}: not a directory")
        if status.st_uid != os.geteuid():
            raise SpoolError(f"{directory}: belongs to uid {status.st_uid}, and I run as {os.geteuid()}: run me as that user")
        too_much = stat.S_IMODE(status.st_mode) & ~wanted & 0o777
        if too_much:
            raise SpoolError(f"{directory}: mode {stat.S_IMODE(status.st_mode):o} lets others in: chmod {wanted:o} {directory}")
    _check_group(spool)
    try:
        if not stat.S_ISFIFO(os.lstat(spool.trigger).st_mode):
            raise SpoolError(f'{spool.trigger}: not a FIFO: remove it, and say "holdq init"')
    except OSError as error:
        raise SpoolError(f'{spool.trigger}: {error.strerror}: "holdq init" makes it') from error


def _check_group(spool: Spool) -> None:
    """What is written in incoming/ must get the spool's group, or the runner cannot mark it."""
    status, group = os.lstat(spool.incoming), os.lstat(spool.directory).st_gid
    if status.st_gid != group:
        raise SpoolError(f"{spool.incoming}: its group is {status.st_gid}, the spool's is {group}: "
                         f"chgrp {group} {spool.incoming}")
    if not status.st_mode & stat.S_ISGID:
        raise SpoolError(f"{spool.incoming}: mode {stat.S_IMODE(status.st_mode):o} gives mail another group: "
                         f"chmod 2770 {spool.incoming}")
