"""What the session says of the words of the rules (QQTAGS), as far as it is ours to hear: qsmtpd/rules/told.py has its shape.

It was written before the message came.  If rules about the message have put recipients aside since then, the envelope is
another than the one that the words are about, and only what they say of all recipients alike is of use.
"""

from qsmtpd.rules.told import Told, read_told
from qsmtpd.rules.vocabulary import RCPT


class Hearsay:
    """What is known by hearsay.

    session     words of the session
    complaint   why QQTAGS was not understood, for the log; None when nothing is wrong
    """

    __slots__ = ("_recipients", "complaint", "session")

    def __init__(self, told: bytes | None, vocabulary: "Mapping[str, Term]") -> None:
        """told  QQTAGS as it came; None when there is none"""
        self.complaint: bytes | None = None
        try:
            heard = read_told(told or b"")
        except ValueError as error:
            self.complaint = b"QQTAGS: %b" % str(error).encode("ascii", "replace")
            heard = Told({}, [])
        self.session = fitting(heard.session, vocabulary)
        self._recipients: list[Words] = []
        before = None
        for words in heard.recipients:
            self._recipients.append(self._recipients[-1] if words is before else fitting(words, vocabulary))
            before = words

    def of_recipients(self, count: int, last: bytes, quarantine: bytes | None) -> "list[Words]":
        """The words of each recipient in the envelope; a single element when they are the same for all.

        count, last  of the recipients in the envelope
        quarantine   the address that the session puts at the end of the envelope when it has put somebody aside
        """
        heard = self._recipients
        if not heard:
            return [{}]
        first = heard[0]
        if all(words is first or words == first for words in heard):
            return [first]
        if len(heard) == count and last != quarantine:
            return heard
        return [{name: value for name, value in first.items() if all(words.get(name, self) == value for words in heard)}]


def fitting(words: "Mapping[str, bool | float | None]", vocabulary: "Mapping[str, Term]") -> "Words":
    """Those that the rules may use before the message, with a value of their kind; a rule's draw is one, too."""
    found: Words = {}
    for name, value in words.items():
        term = vocabulary.get(name)
        fact = term.kind == "fact" if term is not None else name.startswith("draw:")
        known = term.stage <= RCPT if term is not None else fact
        if known and (value is None or isinstance(value, bool) != fact):
            found[name] = value
    return found


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsmtpd.rules.vocabulary import Term

    Words = dict[str, bool | float | None]
