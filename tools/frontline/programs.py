"""The programs that sessions start: there, and executable by the sessions' user."""

import os
from collections.abc import Iterator

from .findings import Finding, error
from .rights import SEARCH, User


def check(file: str | None, path: str, home: str, user: User | None) -> Iterator[Finding]:
    """What is wrong with a program.

    file  that names it; None when it is started unless another is named
    path  from home on when it is not absolute
    user  who starts it; None when nobody knows
    """
    whole = os.path.join(home, path)
    named = f"names {whole}, which" if file else "the queue program"
    if not os.path.isfile(whole):
        yield error(file or whole, f"{named} is not there; install it, or name another")
    elif user is not None and not user.may(whole, SEARCH):
        yield error(file or whole, f"{named} {user.name} may not execute; chmod 755")


SHIMS = {"qqshim", "handoff-qqshim"}


def is_shim(path: str) -> bool:
    """Whether a queue program is qqshim, or has its work done by the service, under its own name or by a link."""
    return not SHIMS.isdisjoint((os.path.basename(path), os.path.basename(os.path.realpath(path))))
