"""Source: the accounts that qmail-getpw(8) takes for users.

An account is a user when its uid is not 0, its name has no upper-case letter and fewer than 32 characters, and it owns its home
directory.  It controls its own name (dash and ext empty) and NAME BREAK anything; the account "alias" controls all the rest.
"""

import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..command import shown
from .assignments import Assignment
from .report import Report, UserError

ALIAS = b"alias"
NAME_SIZE = 32
WHERE = "/etc/passwd"
WHERE_ALIAS = "~alias"


class Account(NamedTuple):
    """What passwd(5) says that qmail-getpw looks at."""

    name: bytes
    uid: int
    home: bytes


def accounts(path: Path | None) -> list[Account]:
    """The accounts of a file in passwd(5) form; None: those the system knows, as getpwnam(3) would find them.

    Raises:
        UserError: a line is not in that form.
        OSError: the file cannot be read.
    """
    if path is None:
        return [Account(os.fsencode(entry.pw_name), entry.pw_uid, os.fsencode(entry.pw_dir)) for entry in pwd.getpwall()]
    lines = path.read_bytes().split(b"\n")
    return [_account(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip(b" \t")]


def _account(line: bytes, where: str) -> Account:
    fields = line.split(b":")
    if len(fields) != 7 or not (fields[2].isdigit() and len(fields[2]) < 11):
        raise UserError(f"{where}: expected the seven fields of passwd(5), name:password:uid:gid:text:home:shell")
    return Account(fields[0], int(fields[2]), fields[5])


def read(found: Iterable[Account], break_character: bytes, report: Report) -> Iterator[Assignment]:
    """The assignments that qmail-getpw makes, in no order: the longest wildcard that fits is the one it finds."""
    alias = None
    for account in found:
        if account.name == ALIAS and alias is None:
            alias = account
        if _is_user(account, report):
            yield Assignment(account.name, False, account.home, b"", b"", WHERE)
            yield Assignment(account.name + break_character, True, account.home, b"-", b"", WHERE)
    if alias:
        yield Assignment(b"", True, alias.home, b"-", b"", WHERE_ALIAS)
    else:
        report.warn('there is no account "alias": qmail puts off all mail for addresses that belong to no user')


def _is_user(account: Account, report: Report) -> bool:
    name = account.name
    if not account.uid or not name or len(name) >= NAME_SIZE or name != name.lower():
        return False
    try:
        return os.stat(account.home or b".").st_uid == account.uid
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        report.incomplete(f"the home of {shown(name)} cannot be looked at, taken for a user: "
                          f"{shown(account.home)}: {error.strerror}", "such accounts")
        return True
