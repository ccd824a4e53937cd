"""Who may read and write what: the sessions' user reads the control files, and alone writes what checks remember."""

import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from .findings import Finding, error, warning

READ, WRITE, SEARCH = 4, 2, 1
KEY = b"PRIVATE KEY-----"


class User:
    """Somebody, by name.

    Raises:
        KeyError: there is nobody of that name.
    """

    def __init__(self, name: str) -> None:
        entry = pwd.getpwnam(name)
        self.name = name
        self.uid = entry.pw_uid
        self.groups = frozenset(os.getgrouplist(name, entry.pw_gid))

    def may(self, path: str, want: int) -> bool:
        """Whether the mode of a file or directory, and of the directories above it, lets the user do it.

        Raises:
            OSError: there is no such file, or we may not look.
        """
        above = Path(os.path.realpath(path)).parents
        return self._may(path, want) and all(self._may(str(each), SEARCH) for each in above)

    def _may(self, path: str, want: int) -> bool:
        found = os.stat(path)
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.groups else 0
        return self.uid == 0 or found.st_mode >> shift & want == want


def control_files(directory: str, names: Iterable[str], user: User) -> Iterator[Finding]:
    """Files that the sessions cannot read, that everybody may write, or that everybody may read and should not."""
    if not user.may(directory, READ | SEARCH):
        yield error(directory, f"{user.name} may not read it, so every session is answered 421; chmod 755")
    for name in sorted(names):
        path = f"{directory}/{name}"
        if os.path.isfile(path):
            if not user.may(path, READ):
                yield error(path, f"{user.name} may not read it, so what needs it is answered 4xx; chmod 644")
            if os.stat(path).st_mode & stat.S_IWOTH:
                yield error(path, "everybody may write to it; chmod o-w")
    for each in sorted(Path(directory).iterdir()):
        if each.suffix in (".pem", ".key") and each.stat().st_mode & stat.S_IROTH and KEY in each.read_bytes():
            yield warning(str(each), "everybody may read this private key; chmod o-r")


def state(path: str, user: User) -> Iterator[Finding]:
    """The directory of what checks remember: the user's own, and nobody else's to write."""
    make = f"install -d -o {user.name} -m 700 {path}"
    if not os.path.isdir(path):
        yield error(path, f"not there: what the rules ask of the store is unknown; {make}")
        return
    for each in (path, *(str(file) for file in sorted(Path(path).glob("store.sqlite*")))):
        found = os.stat(each)
        if found.st_uid != user.uid:
            yield error(each, f"belongs to uid {found.st_uid}: {user.name} cannot remember anything; chown {user.name}")
        if found.st_mode & 0o022:
            yield error(each, f"others may write to it (mode {found.st_mode & 0o777:o}), so it is not used; chmod go-w")
