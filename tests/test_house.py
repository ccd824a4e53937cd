"""The house rules that a reader of the source can check (CONTRIBUTING.md), checked."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PROGRAMS = ("qsmtpd", "qqshim", "holdq")
OURS = (*PROGRAMS, "tools")

DURABLE = Path("qsmtpd/qmail/durable.py")
ENVIRONMENT = Path("qsmtpd/qmail/env.py")

DRAWERS = ("utils", "util", "helpers", "helper", "common", "manager", "misc", "shared", "base_utils")
"""Names of modules into which anything goes, so that nothing is found there."""

LINES_MAX = 600


def files(*places: str) -> list[Path]:
    """The Python files of the places, relative to the repository."""
    return [path.relative_to(ROOT) for place in places for path in sorted((ROOT / place).rglob("*.py"))]


SOURCES = files(*OURS)
TESTS = files("tests")


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_bytes())


def words(path: Path) -> Iterator[str]:
    """Every dotted name in the code, "os.rename"; and "os.rename" too for "from os import rename" and for posix."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            yield re.sub(r"^posix\.", "os.", ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "posix"):
            yield from (f"os.{alias.name}" for alias in node.names)


def users(paths: list[Path], *names: str) -> list[Path]:
    """The files in whose code one of the names occurs."""
    return [path for path in paths if not set(names).isdisjoint(words(path))]


def matches(paths: list[Path], pattern: str) -> list[str]:
    """FILE:LINE of each line in which the pattern is found."""
    return [
        f"{path}:{number}" for path in paths
        for number, line in enumerate((ROOT / path).read_text().split("\n"), 1) if re.search(pattern, line)]


def test_one_module_makes_changes_durable() -> None:
    """A134: whoever renames, links or syncs elsewhere forgets the directory."""
    found = users(SOURCES, "os.rename", "os.renames", "os.replace", "os.link", "os.fsync", "os.fdatasync", "os.sync")

    assert [path for path in found if path != DURABLE] == []


def test_one_module_reads_the_environment() -> None:
    found = users(SOURCES, "os.environ", "os.environb", "posix.environ", "os.getenv", "os.getenvb", "os.putenv")

    assert [path for path in found if path != ENVIRONMENT] == []


def test_no_file_is_long() -> None:
    assert [path for path in SOURCES + TESTS if len((ROOT / path).read_bytes().split(b"\n")) > LINES_MAX] == []


def test_no_drawers() -> None:
    assert [path for path in SOURCES if path.stem in DRAWERS or path.parent.name in DRAWERS] == []


def test_nothing_is_left_to_do() -> None:
    assert matches(SOURCES + TESTS, r"#.*\b(TOD[O]|FIXM[E]|XX[X])\b") == []


def test_lines_end_at_lf_only() -> None:
    """A42: str.splitlines() ends a line at a dozen characters, all of them a client's to send."""
    attributes = {path: {name.rpartition(".")[2] for name in words(path)} for path in SOURCES + TESTS}

    assert [path for path, names in attributes.items() if "splitlines" in names] == []


Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(nodes: list[ast.stmt]) -> Iterator[ast.ClassDef | Function]:
    for node in nodes:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node


def obvious(method: ast.ClassDef | Function) -> bool:
    """At most three lines of code, which the class's docstring and the method's name explain."""
    return isinstance(method, Function) and (method.end_lineno or 0) - method.body[0].lineno < 3


def undocumented(path: Path) -> Iterator[str]:
    """What wants a docstring and has none: the module, its public classes and functions, and methods that are not obvious.

    A class that is all of its module, as a check is, is described by the module's.
    """
    module = tree(path)
    if module.body and not ast.get_docstring(module):
        yield str(path)
    names = list(public(module.body))
    for node in names:
        methods = public(node.body) if isinstance(node, ast.ClassDef) else ()
        wanted = [method for method in methods if not obvious(method)]
        if len(names) > 1 or not isinstance(node, ast.ClassDef):
            wanted.append(node)
        yield from (f"{path}:{each.lineno} {each.name}" for each in wanted if not ast.get_docstring(each))


def test_what_is_public_is_documented() -> None:
    assert [name for path in SOURCES for name in undocumented(path)] == []


def test_every_module_has_its_test_module() -> None:
    """One test module per source module, under the same name: qsmtpd/qmail/env.py, tests/qsmtpd/qmail/test_env.py."""
    wanted = {Path("tests", path.parent, f"test_{path.name}") for path in SOURCES if path.name != "__init__.py"}

    assert sorted(str(path) for path in wanted - set(TESTS)) == []


def entry_modules() -> list[Path]:
    """The modules that the launchers run, as far as they exist."""
    names = [path.read_text().partition("from ")[2].split()[0] for path in sorted(ROOT.glob("*/launch/*"))]
    return [path for path in SOURCES if ".".join(path.with_suffix("").parts) in names]


@pytest.mark.parametrize("path", entry_modules(), ids=str)
def test_what_qmail_starts_prepares_itself(path: Path) -> None:
    """A55: closed descriptors and an ignored SIGCHLD are put right before anything is opened or started."""
    assert "process.prepare" in set(words(path)), "it wants process.prepare() first of all"


def test_tests_do_not_fake_time() -> None:
    """Time is a value that the code takes; what waits really waits, for little."""
    assert matches(TESTS, r"^(from|import) (freezegun|time_machine)|setattr\(\s*\"?time\b|patch\(\s*\"time\b") == []


def test_tests_are_the_same_each_time() -> None:
    """random.Random(SEED), or hypothesis, which prints what it found."""
    assert matches(TESTS, r"\brandom\.(?!Random\(\w)[A-Za-z]|^from random ") == []
