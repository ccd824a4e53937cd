"""The rules of the site for the message stage, from control/rules and control/tags.

Of rules without a word about the message only "accept" counts: it is an exception from those below.  What else they say was the
session's to do, and behind a server that reads no rules it is nobody's: here too little is known for it.
"""

from qsmtpd.rules import files
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.vocabulary import MESSAGE


class Site:
    """What the site says.

    rules       those of control/rules that count at the message stage
    tags        the site's own words: what control/tags says of them
    vocabulary  all words that the rules may use
    carried_out the session has done what the rules say without the message's contents; only those are left that need them
    """

    __slots__ = ("carried_out", "rules", "tags", "vocabulary")

    def __init__(self, control: "Control", text: bytes, *, carried_out: bool) -> None:
        """text  of control/rules

        Raises:
            ControlError: control/rules or control/tags is wrong, or cannot be read.
        """
        self.tags, self.vocabulary = files.words(control)
        rules = files.rules(control, text, self.vocabulary).rules
        self.rules = Rules([rule for rule in rules if rule.stage >= MESSAGE or _is_exception(rule)])
        self.carried_out = carried_out

    def rule_on(self, word: str) -> bool:
        """Whether a rule that acts has the word."""
        return any(word in rule.names for rule in self.rules.rules if not rule.action.shadow)

    def fields(self) -> tuple[bytes, ...]:
        """The names of header fields to be left out of what comes in; a session that has carried out rules has done that."""
        return () if self.carried_out else tuple(dict.fromkeys(self.rules.fields()))


def _is_exception(rule: "Rule") -> bool:
    return rule.action.verb == "accept" and not rule.action.shadow


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.control import Control
    from qsmtpd.rules.rule import Rule
