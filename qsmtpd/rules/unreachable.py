"""Rules that can never be reached, because one above them decides whenever they would hold; for "frontline check"."""

from .expression import And, Any, Compare, Or
from .printer import expression as text
from .rule import DECIDING


def unreachable(rules: "Rules") -> "list[tuple[Rule, Rule]]":
    """Each such rule, and the first above it that is in its way."""
    found = []
    for number, rule in enumerate(rules.rules):
        earlier = next((other for other in rules.rules[:number] if _hides(other, rule)), None)
        if earlier is not None:
            found.append((rule, earlier))
    return found


def _hides(earlier: "Rule", rule: "Rule") -> bool:
    """Wherever the rule is read the earlier one is too, holds when it does, and then decides without a condition."""
    action = earlier.action
    decides = action.verb in DECIDING and earlier.condition is None and not action.shadow
    return decides and earlier.stage <= rule.stage and implies(rule.expression, earlier.expression)


def implies(one: "Expression", other: "Expression") -> bool:
    """Whether the other can be seen to hold wherever the one does.  False says nothing."""
    if isinstance(other, Any) or text(one) == text(other):
        return True
    if isinstance(one, Or):
        return all(implies(part, other) for part in one.parts)
    if isinstance(other, And):
        return all(implies(one, part) for part in other.parts)
    if isinstance(one, And) and any(implies(part, other) for part in one.parts):
        return True
    if isinstance(other, Or):
        return any(implies(one, part) for part in other.parts)
    return isinstance(one, Compare) and isinstance(other, Compare) and _is_within(one, other)


def _is_within(one: Compare, other: Compare) -> bool:
    """ "load > 80" is within "load > 50" and within "load >= 80"."""
    a, b = one.right, other.right
    if one.left != other.left or isinstance(a, str) or isinstance(b, str):
        return False
    if other.operator in (">", ">="):
        strict = other.operator == ">" and one.operator != ">"
        return one.operator in (">", ">=", "=") and (a > b if strict else a >= b)
    if other.operator in ("<", "<="):
        strict = other.operator == "<" and one.operator != "<"
        return one.operator in ("<", "<=", "=") and (a < b if strict else a <= b)
    return False


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .expression import Expression
    from .rule import Rule, Rules
