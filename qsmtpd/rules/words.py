"""Words with their values as text, as the log has them:

    dul,!noptr,?spf-fail,load:0.5    it holds, it does not, it is unknown, a number
"""

_INFINITE = float("inf")


def written(values: "Values") -> bytes:
    """For the log: six digits of a number are enough for a person."""
    return b",".join([marked(name, value) or f"{name}:{value:.6g}".encode() for name, value in values.items()])


def marked(name: str, value: bool | float | None) -> bytes:
    """A word that has no number; b"" for one that has."""
    if value is True:
        return name.encode()
    if value is False:
        return b"!" + name.encode()
    return b"?" + name.encode() if value is None or not -_INFINITE < value < _INFINITE else b""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Values = Mapping[str, bool | float | None]
