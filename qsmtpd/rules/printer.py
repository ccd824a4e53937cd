"""A rule as a line: what explain and check show.  Reading it gives the same rule, printing that gives the same line."""

from .expression import And, Any, Compare, Not, Or, Tag
from .vocabulary import STAGES


def line(rule: "Rule") -> str:
    """The rule in printable ASCII, with one blank between its words and no more parentheses than it needs."""
    return f"{expression(rule.expression)} {action(rule.action)}"


def expression(node: "Expression") -> str:
    """An expression as it would be written."""
    if isinstance(node, And):
        return " & ".join([_part(part) for part in node.parts])
    if isinstance(node, Or):
        return " | ".join([_part(part) for part in node.parts])
    if isinstance(node, Not):
        inside = expression(node.part)
        return f"!({inside})" if isinstance(node.part, And | Or | Not | Compare) else f"!{inside}"
    if isinstance(node, Compare):
        right = node.right if isinstance(node.right, str) else number(node.right)
        return f"{node.left} {node.operator} {right}"
    if isinstance(node, Any):
        return "any"
    return node.name if isinstance(node, Tag) else f"unknown({node.name})"


def _part(node: "Expression") -> str:
    """Of "&" or "|"."""
    return f"({expression(node)})" if isinstance(node, And | Or) else expression(node)


def action(what: "Action") -> str:
    """An action as it would be written."""
    words = [("?" if what.shadow else "") + what.verb + ("" if what.at is None else f"@{STAGES[what.at]}")]
    if what.number is not None:
        words.append(number(what.number))
    if what.percent is not None:
        words.append(f"{number(what.percent)}%")
    if what.code:
        words.append(str(what.code))
    if what.status:
        words.append(what.status)
    if what.text is not None:
        words.append(f'"{what.text}"')
    return " ".join(words)


def number(value: float) -> str:
    """A NUMBER: digits and a dot, never an exponent."""
    text = repr(value)
    return f"{value:.19f}".rstrip("0") if "e" in text else text


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .expression import Expression
    from .rule import Action, Rule
