"""The table of words at the end of docs/rules.md, from the vocabulary and its meanings.

After a change: .venv/bin/python -m tests.words_page, which writes it there.
"""

from pathlib import Path

from qsmtpd.rules.meanings import MEANING
from qsmtpd.rules.vocabulary import CONTENT, COSTS, STAGES, TERMS, Term

PAGE = Path(__file__).parent.parent / "docs/rules.md"
HEADING = "\n## Words\n"

INTRODUCTION = """
`from` is the stage from which on a word is known; `message, scanned` is what qqshim knows. `asks` is what it costs to find out,
`check` who does; the words of one check are found out together.
"""


def row(name: str, term: Term) -> str:
    stage = "message, scanned" if term.stage == CONTENT else STAGES[term.stage]
    return f"| `{name}` | {stage} | {COSTS[term.cost]} | {term.check} | {MEANING[name]} |"


def table(kind: str) -> str:
    rows = "\n".join(row(name, term) for name, term in TERMS.items() if term.kind == kind)
    return f"| {kind} | from | asks | check | meaning |\n|---|---|---|---|---|\n{rows}\n"


def words() -> str:
    """Everything below the heading."""
    return f"{INTRODUCTION}\n{table('tag')}\n{table('fact')}"


def page(text: str) -> str:
    """The page with the table as it has to be."""
    return text.partition(HEADING)[0] + HEADING + words()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
