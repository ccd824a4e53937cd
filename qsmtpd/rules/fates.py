"""What becomes of a message whose recipients' rules do not agree: one reply for all of them, and nobody loses mail."""

DEFER, REFUSE, ACCEPT = range(3)
REFUSING = ("refuse", "close")


class Fate:
    """reply       DEFER, REFUSE or ACCEPT
    first          the number of the recipient whose rule gives the reply, of those that defer or refuse
    deliver        the numbers of those who get the message
    quarantine     of those whose copy is put aside
    """

    __slots__ = ("deliver", "first", "quarantine", "reply")

    def __init__(self, reply: int, first: int, deliver: tuple[int, ...] = (), quarantine: tuple[int, ...] = ()) -> None:
        self.reply = reply
        self.first = first
        self.deliver = deliver
        self.quarantine = quarantine


def fate(verbs: "Sequence[str]") -> Fate:
    """What a message comes to.

    verbs  what was decided for each recipient, one at least

    One that defers defers all: the client comes again.  Refused is what all refuse; where some accept, the message is taken,
    and put aside for those who would have refused it, for a bounce later could hit a forged sender.
    """
    if "defer" in verbs:
        return Fate(DEFER, verbs.index("defer"))
    if all(verb in REFUSING for verb in verbs):
        return Fate(REFUSE, 0)
    deliver = tuple([number for number, verb in enumerate(verbs) if verb == "accept"])
    aside = tuple([number for number, verb in enumerate(verbs) if verb == "quarantine" or verb in REFUSING])
    return Fate(ACCEPT, 0, deliver, aside)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
