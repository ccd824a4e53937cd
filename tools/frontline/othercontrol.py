"""A control directory of which some files are elsewhere."""

from qsmtpd.qmail.control import Control


class OtherControl(Control):
    """The files of a control directory, but for those that are given by name."""

    __slots__ = ("_others",)

    def __init__(self, directory: str, **others: str | None) -> None:
        """others  the path of each that is elsewhere; None for one that is not."""
        super().__init__(directory)
        self._others = others

    def path(self, name: str) -> str:
        """See Control."""
        return self._others.get(name) or super().path(name)
