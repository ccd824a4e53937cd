"""The rules of the site for the message stage, from control/rules and control/tags."""

from qsmtpd.rules import files
from qsmtpd.rules.expression import names


class Site:
    """What the site says.

    rules       control/rules
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
        self.rules = files.rules(control, text, self.vocabulary)
        self.carried_out = carried_out

    def rule_on(self, word: str) -> bool:
        """Whether a rule that acts has the word."""
        return any(word in names(rule.expression) for rule in self.rules.rules if not rule.action.shadow)

    def fields(self) -> tuple[bytes, ...]:
        """The names of header fields to be left out of what comes in; a session that has carried out rules has done that."""
        return () if self.carried_out else tuple(dict.fromkeys(self.rules.fields()))


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qsmtpd.qmail.control import Control
