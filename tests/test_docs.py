"""The documentation against the code: settings, exit codes, options, paths and links."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from pathlib import Path

import pytest

from qsmtpd.qmail import exitcodes
from qsmtpd.qmail.settings import Setting

ROOT = Path(__file__).parent.parent
MAN = ROOT / "man"

TABLES = {
    ("qsmtpd.config", "SETTINGS"): "qsmtpd",
    ("qsmtpd.checks.greylist", "SETTINGS"): "qsmtpd",
    ("qsmtpd.checks.knowngood", "SETTINGS"): "qsmtpd",
    ("qsmtpd.checks.rcptcheck", "SETTINGS"): "qsmtpd",
    ("qsmtpd.lookups.callouts", "SETTINGS"): "qsmtpd",
    ("qsmtpd.lookups.resolver", "SETTINGS"): "qsmtpd",
    ("qsmtpd.lookups.store", "SETTINGS"): "qsmtpd",
    ("qqshim.config", "SETTINGS"): "qqshim",
    ("holdq.config", "QUEUE_SETTINGS"): "holdq-queue",
    ("holdq.config", "RUN_SETTINGS"): "holdq",
}
"""Table of settings: the page that explains it."""

NEAR = 600
"""Characters after a setting's name within which its page says the default."""

TOP = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))

SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def launchers() -> dict[str, str]:
    """Program: the module that its launcher runs."""
    return {path.name: path.read_text().partition("from ")[2].split()[0] for path in sorted(ROOT.glob("*/launch/*"))}


def consoles() -> dict[str, str]:
    """Program for people: module:function."""
    lines = SETUP["options.entry_points"]["console_scripts"].strip().split("\n")
    return {name.strip(): target.strip() for name, _, target in (line.partition("=") for line in lines)}


def source(module: str) -> Path:
    """The file of a module; it need not exist yet."""
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


CODES = {name: value for name, value in vars(exitcodes).items() if isinstance(value, int)}

LAUNCHERS = {name: module for name, module in launchers().items() if source(module).exists()}
CONSOLES = {name: target for name, target in consoles().items() if source(target.partition(":")[0]).exists()}


@cache
def page(program: str) -> str:
    """The text of a program's man page as a person reads it, on one line, blanks squeezed."""
    path = MAN / f"{program}.8"
    assert path.exists(), f"{program} has no man page: write man/{program}.8"
    done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", path], check=True, capture_output=True, text=True)
    return " ".join(re.sub(".\b", "", done.stdout).split())


@cache
def tables() -> dict[str, dict[str, tuple[Setting, ...]]]:
    """Module: its tables of settings by name, for every module that makes a Setting."""
    found = {}
    for path in sorted(path for package in ("qsmtpd", "qqshim", "holdq") for path in (ROOT / package).rglob("*.py")):
        if re.search(r"^ +Setting\(|^SETTINGS\b", path.read_text(), re.MULTILINE):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            members = vars(importlib.import_module(name))
            found[name] = {key: value for key, value in members.items() if is_table(value)}
    return found


def is_table(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(each, Setting) for each in value)


def settings() -> Iterator[tuple[str, Setting]]:
    """Page, setting: every row of every table."""
    for (module, name), program in TABLES.items():
        yield from ((program, setting) for setting in tables().get(module, {}).get(name, ()))


def test_every_table_has_its_page() -> None:
    found = {(module, name) for module, members in tables().items() for name in members}

    assert found <= set(TABLES)


def default(setting: Setting) -> str:
    """As the manual writes it; "" for a setting that is nothing until somebody says something."""
    value = setting.default
    return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)


def explains(text: str, setting: Setting) -> bool:
    """The text has the setting's name, its default soon after that, and its variable."""
    places = [found.end() for found in re.finditer(rf"(?<![\w-]){re.escape(setting.name)}(?![\w-])", text)]
    variable = re.search(rf"(?<!\w){setting.name.upper()}(?!\w)", text)
    value = re.compile(rf"(?<!\w){re.escape(default(setting))}(?!\w)")
    return variable is not None and any(value.search(text, place, place + NEAR) for place in places)


@pytest.mark.parametrize(("program", "setting"), [pytest.param(*row, id=f"{row[0]}-{row[1].name}") for row in settings()])
def test_setting_is_in_the_manual(program: str, setting: Setting) -> None:
    """With its variable and its default."""
    assert explains(page(program), setting), f"man/{program}.8: {setting.name}, {setting.name.upper()}, {default(setting)!r}"


def test_settings_are_in_the_list_of_settings() -> None:
    path = ROOT / "docs/settings.md"
    text = path.read_text() if path.exists() else None

    assert text is None or [setting.name for _, setting in settings() if not explains(text, setting)] == []


def exit_codes(module: str) -> dict[str, int]:
    """The names of exitcodes that a module and what it imports of its own package use."""
    waiting, seen, found = [module], {module}, {}
    while waiting:
        current = waiting.pop()
        for node in ast.walk(ast.parse(source(current).read_bytes())):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in CODES:
                found[name] = CODES[name]
            elif isinstance(node, ast.ImportFrom):
                news = siblings(current, node) - seen
                seen |= news
                waiting += news
    return found


def siblings(module: str, node: ast.ImportFrom) -> set[str]:
    """The modules of the same package that "from . import a" and "from .a import b" name."""
    if node.level != 1:
        return set()
    package = module if source(module).name == "__init__.py" else module.rpartition(".")[0]
    names = [f"{package}.{node.module}"] if node.module else [f"{package}.{alias.name}" for alias in node.names]
    return {name for name in names if source(name).exists()}


@pytest.mark.parametrize("program", [name for name in LAUNCHERS if name != "qsmtpd"])
def test_exit_codes_are_in_the_manual(program: str) -> None:
    """Those that the program's own code names; qsmtpd speaks SMTP, and exits 0 or 1."""
    text = page(program).partition("EXIT STATUS")[2]
    codes = exit_codes(LAUNCHERS[program])

    assert codes
    assert {name: code for name, code in codes.items() if not re.search(rf"\b{code}\b", text)} == {}


@pytest.mark.parametrize("program", LAUNCHERS)
def test_program_has_a_page(program: str) -> None:
    assert page(program).startswith(f"{program.upper()}(8) ")


@cache
def help_text(program: str, *words: str) -> str:
    """What PROGRAM WORDS --help prints; it exits 0 and complains of nothing."""
    module, _, function = CONSOLES[program].partition(":")
    code = f"import sys; sys.argv[0] = {program!r}; from {module} import {function}; sys.exit({function}())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def commands(program: str) -> list[str]:
    """The subcommands, which argparse shifts by four."""
    return re.findall(r"^ {4}([a-z]+)(?= |$)", help_text(program), re.MULTILINE)


@pytest.mark.parametrize("program", CONSOLES)
def test_help_has_an_example(program: str) -> None:
    assert "example" in help_text(program).lower()


@pytest.mark.parametrize("program", CONSOLES)
def test_every_option_is_in_the_manual(program: str) -> None:
    """Subcommands and their options too."""
    text = page(program)
    helps = help_text(program) + "".join(help_text(program, command) for command in commands(program))
    options = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", helps)) - {"-h", "--help"}

    assert [word for word in [*commands(program), *sorted(options)] if not re.search(rf"(?<![\w-]){word}(?![\w-])", text)] == []


def test_man_pages_are_clean() -> None:
    pages = sorted(MAN.glob("*.[1-9]"))
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False)

    assert pages
    assert done.stdout + done.stderr == ""


def documents() -> list[Path]:
    """What people read in the repository."""
    named = [ROOT / "README.md", ROOT / "INSTALL", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    return [path for path in named if path.exists()] + sorted((ROOT / "docs").glob("**/*.md"))


def prose(path: Path) -> str:
    """The text without its blocks of code, which are about the reader's machine."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def mentioned(text: str) -> list[str]:
    """Paths of the repository in backticks: `tests/test_docs.py`, `docs/`.

    `holdq/incoming` is a place under QMAILHOME, so what begins with holdq counts only when it has a suffix.
    """
    found = re.findall(rf"`((?:{TOP})/[\w./-]*)`", text)
    return [name for name in found if not name.startswith("holdq/") or "." in name]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_paths_exist(path: Path) -> None:
    assert [name for name in mentioned(prose(path)) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    """Relative ones; the network is not asked."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path))
    relative = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]

    assert [target for target in relative if not (path.parent / target).exists()] == []
