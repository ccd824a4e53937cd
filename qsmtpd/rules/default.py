"""The rules of a site that has none of its own, as parse.py reads them from examples/rules, where each has its reason.

They are objects here, for most sessions of a busy server would end before what it costs to read a text.
"""

from .expression import And, Compare, Tag
from .rule import Action, Rule, Rules
from .vocabulary import CONNECT, TERMS

RULES = Rules([
    Rule(4, And((Tag("earlytalk"), Compare("greetdelay", "<", 0))),
         Action("close", at=CONNECT, code=554, status="5.7.1", text="you talk too early, goodbye"), TERMS),
    Rule(7, Tag("virus"),
         Action("refuse", code=554, status="5.7.1", text="sorry, this message has a virus: {reason}"), TERMS),
    Rule(10, Tag("banned"), Action("refuse", code=553, status="5.7.1", text="{reason}"), TERMS),
    Rule(11, Tag("blocked"), Action("defer", code=451, status="4.7.1", text="{reason}"), TERMS),
    Rule(14, Tag("badmailfrom"),
         Action("refuse", code=553, status="5.7.1", text="sorry, your envelope sender is in my badmailfrom list"), TERMS),
    Rule(15, Tag("badrcptto"),
         Action("refuse", code=553, status="5.7.1", text="sorry, your envelope recipient is in my badrcptto list"), TERMS),
    Rule(18, Tag("too-many-rcpt"), Action("defer", code=452, status="4.5.3", text="sorry, too many recipients"), TERMS),
    Rule(21, Tag("relay"), Action("accept"), TERMS),
    Rule(24, Tag("bounce-many"), Action("defer", code=452, status="4.5.3", text="sorry, a bounce has one recipient"), TERMS),
    Rule(27, Tag("too-many-bad"), Action("close", code=421, status="4.7.0", text="too many invalid addresses, goodbye"), TERMS),
])
"""The lines are those of examples/rules: in the log a line is the name of its rule."""
