"""What two readings of a rule have to have in common, for comparison: everything but the line."""

from qsmtpd.rules.rule import Rule


def shape(thing: object) -> object:
    """An expression or an action as nested tuples."""
    if isinstance(thing, tuple):
        return tuple(shape(part) for part in thing)
    slots = [name for name in getattr(type(thing), "__slots__", ()) if not name.startswith("_")]
    if not slots and type(thing).__module__ == "builtins":
        return thing
    return (type(thing).__name__, *[shape(getattr(thing, name)) for name in slots])


def of_rule(rule: Rule) -> object:
    return shape(rule.expression), shape(rule.action), rule.stage, rule.spoken, rule.lists
