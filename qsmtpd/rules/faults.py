"""stub"""
from .parse import RuleError, Wrong, read_line

def faults(text, vocabulary):
    found = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        try:
            line = raw.decode("latin-1")
            if line and line[0] != "#":
                read_line(number, line, vocabulary)
        except Wrong as wrong:
            found.append(RuleError(number, 1, f"{wrong.why} {wrong.at}"))
    return found or [RuleError(1, 1, "byte")]
