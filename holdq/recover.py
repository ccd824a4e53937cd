"""Cleaning up after those who died: INTERNALS.md section 8, a function a row.  The caller has the runner's lock."""

import fcntl
import os
import stat
from collections.abc import Callable

from qsmtpd.qmail import durable

from . import layout
from .heldfile import OddError
from .store import Store

Report = Callable[[str, str], None]
"""Is given the path and the reason of what was odd."""


def recover(store: Store, report: Report) -> None:
    """All of it, in order.

    Raises:
        OSError: the spool cannot be read.
    """
    sweep_parts(store, report)
    set_aside_odd(store, report)
    set_aside_damaged(store, report)
    sweep_why(store)


def sweep_parts(store: Store, report: Report) -> None:
    """Unlink what dead writers left in incoming/."""
    for name in store.parts():
        path = f"{store.spool.incoming}/{name}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        except OSError as error:  # ELOOP, a symbolic link; ENXIO, a socket; EACCES, not made by our programs
            aside(store, store.spool.incoming, name, OddError(error.strerror), report)
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISREG(os.fstat(fd).st_mode):
                durable.unlink(path)
            else:
                aside(store, store.spool.incoming, name, OddError("not a regular file"), report)
        except (BlockingIOError, FileNotFoundError):
            pass  # being written; or renamed by its writer between our open and our lock
        finally:
            os.close(fd)


def set_aside_odd(store: Store, report: Report) -> None:
    """Rename into odd/ what stands among the messages and has no name of ours."""
    for directory, odd in ((store.spool.incoming, store.arrivals()[1]), (store.spool.hold, store.held()[1]),
                           (store.spool.dead, store.buried()[1])):
        for name in odd:
            aside(store, directory, name, OddError("not the name of a message"), report)


def set_aside_damaged(store: Store, report: Report) -> None:
    """Rename into odd/ what is dead and none of our files by its content; in hold/ each attempt sees to that."""
    for held in store.buried()[0]:
        try:
            with store.open(held, dead=True, lock=False) as file:
                file.counts()
        except OddError as error:
            aside(store, store.spool.dead, held.name, error, report)
        except OSError:
            pass  # revived or removed meanwhile; or trouble with the disk, which is no reason to put anything aside


def aside(store: Store, directory: str, name: str, error: OddError, report: Report) -> bool:
    """Rename one odd thing into odd/ and report it; where even that fails, report that; whether it is away."""
    try:
        store.put_aside(directory, name)
        report(f"{directory}/{name}", f"{error}; it is in odd/ now")
    except FileNotFoundError:
        pass  # whoever put it there took it away
    except OSError as trouble:
        report(f"{directory}/{name}", f"{error}; left there: {trouble.strerror}")
        return False
    return True


def sweep_why(store: Store) -> None:
    """Unlink the reasons of messages that are gone."""
    known = {held.identity for held in store.buried()[0]}  # dead/ first: a person may revive one meanwhile
    known.update(held.identity for held in store.held()[0])
    for name in os.listdir(store.spool.why):
        if name not in known and (layout.is_id(name) or layout.is_id(name.removesuffix(".tmp"))):
            store.forget_why(name)
