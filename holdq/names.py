"""The name of a held message, which is what changes about it (INTERNALS.md section 2)."""

from typing import NamedTuple

from .layout import arrival, is_id

_WIDEST = (9, 9, 12)
RELEASED = "r"
PLAIN = "-"


class Held(NamedTuple):
    """A message in hold/ or dead/.

    identity  its ID
    attempts  attempts begun
    crashes   attempts begun, one after the other, of which no end was recorded
    due       seconds since 1970 before which it is not tried
    released  a person released it
    """

    identity: str
    attempts: int = 0
    crashes: int = 0
    due: int = 0
    released: bool = False

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.identity},{self.attempts},{self.crashes},{self.due},{RELEASED if self.released else PLAIN}"

    @property
    def arrival(self) -> int:
        """Seconds since 1970 at which it came."""
        return arrival(self.identity)

    def begun(self) -> "Held":
        """As it is during its next attempt."""
        return self._replace(attempts=min(self.attempts + 1, 999_999_999), crashes=self.crashes + 1)

    def waiting(self, due: int) -> "Held":
        """As it is after an attempt that ended."""
        return self._replace(crashes=0, due=due, released=False)

    def let_go(self) -> "Held":
        """As a person releases it: its attempts stay known, its crashes are forgiven."""
        return self._replace(crashes=0, due=0, released=True)


def parse(name: str) -> Held:
    """The reverse of Held.name.

    Raises:
        ValueError: it is no such name.
    """
    identity, *rest = name.split(",")
    if len(rest) != 4 or not is_id(identity) or rest[3] not in (PLAIN, RELEASED):
        raise ValueError("not the name of a message")
    for field, widest in zip(rest, _WIDEST, strict=False):
        if not (field.isascii() and field.isdigit() and len(field) <= widest):
            raise ValueError("not the name of a message")
    held = Held(identity, int(rest[0]), int(rest[1]), int(rest[2]), rest[3] == RELEASED)
    if held.name != name:
        raise ValueError("not the name of a message")
    return held
