"""Expressions over tags and facts, in three values (Kleene): true, false, and unknown, which a failed look-up leaves.

What is known is a mapping from names to True, False, None (unknown), or a number for a fact.  value() returns True, False or
None; or, when that cannot be said before more is asked, the names to ask as a tuple.

Each has `names`: every name in it, in the order of writing, as often as it stands there.
"""


class Tag:
    """NAME: the tag holds."""

    __slots__ = ("name", "names")

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = (name,)

    def value(self, known: "Known") -> "Value":
        return known.get(self.name, self.names)  # type: ignore[return-value]  # a tag is never a number


class Unknown:
    """unknown(NAME): the look-up of the tag has failed."""

    __slots__ = ("name", "names")

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = (name,)

    def value(self, known: "Known") -> "Value":
        return known[self.name] is None if self.name in known else self.names


class Any:
    """any: it always holds."""

    __slots__ = ()
    names: tuple[str, ...] = ()

    def value(self, known: "Known") -> "Value":
        return True


class Compare:
    """FACT OPERATOR NUMBER, or FACT OPERATOR FACT.  A fact that is unknown makes it unknown."""

    __slots__ = ("_signs", "left", "names", "operator", "right")

    def __init__(self, left: str, operator: str, right: "float | str") -> None:
        self._signs = OPERATORS[operator]
        self.left = left
        self.operator = operator
        self.right = right
        self.names = (left, right) if isinstance(right, str) else (left,)

    def value(self, known: "Known") -> "Value":
        """See the top of the file."""
        right: float | str | None = self.right
        if right.__class__ is str:
            if self.left not in known or right not in known:
                return tuple([name for name in self.names if name not in known])
            right = known[right]
        elif self.left not in known:
            return self.names
        left = known[self.left]
        if left is None or right is None:
            return None
        return (left > right) - (left < right) in self._signs  # type: ignore[operator]  # nor is it a name now


class Not:
    """True when its part is false, false when it is true."""

    __slots__ = ("names", "part")

    def __init__(self, part: "Expression") -> None:
        self.part = part
        self.names: tuple[str, ...] = part.names

    def value(self, known: "Known") -> "Value":
        value = self.part.value(known)
        return not value if value is True or value is False else value


class And:
    """False when one part is, whatever the others are; so a part that is cheap to ask can spare those that are not."""

    __slots__ = ("names", "parts")

    def __init__(self, parts: "tuple[Expression, ...]") -> None:
        self.parts = parts
        self.names: tuple[str, ...] = tuple([name for part in parts for name in part.names])

    def value(self, known: "Known") -> "Value":
        return _joined(self.parts, known, False)


class Or:
    """True when one part is, whatever the others are."""

    __slots__ = ("names", "parts")

    def __init__(self, parts: "tuple[Expression, ...]") -> None:
        self.parts = parts
        self.names: tuple[str, ...] = tuple([name for part in parts for name in part.names])

    def value(self, known: "Known") -> "Value":
        return _joined(self.parts, known, True)


def _joined(parts: "tuple[Expression, ...]", known: "Known", decisive: bool) -> "Value":
    """The value of parts of which one that is `decisive` decides."""
    missing: tuple[str, ...] = ()
    result: bool | None = not decisive
    for part in parts:
        value = part.value(known)
        if value is decisive:
            return decisive
        if value is None:
            result = None
        elif value.__class__ is tuple:
            missing += value
    return missing or result


OPERATORS = {"<": (-1,), "<=": (-1, 0), "=": (0,), ">=": (0, 1), ">": (1,)}
"""When each holds: the signs of left - right."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Known = Mapping[str, bool | float | None]
    Value = bool | None | tuple[str, ...]
    Expression = Tag | Unknown | Any | Compare | Not | And | Or
