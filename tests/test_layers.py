"""The layers: imports go down, never back (CONTRIBUTING.md); read from the source with ast, nothing is executed."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

OURS = ("qsmtpd", "qqshim", "holdq", "tools")

LAYERS = (
    ("qsmtpd.qmail",),
    ("qsmtpd.rules", "qsmtpd.replies", "qsmtpd.address", "qsmtpd.commands", "qsmtpd.events", "qsmtpd.dotstuff",
     "qsmtpd.session", "qsmtpd.upstream", "qsmtpd.netblock", "qsmtpd.names", "qsmtpd.addresspatterns", "qsmtpd.listfiles",
     "qsmtpd.correspondents", "qsmtpd.headersection"),
    ("qsmtpd.checks", "qsmtpd.zones", "qsmtpd.answers", "qsmtpd.knowledge", "qsmtpd.ruling", "qsmtpd.policy",
     "qsmtpd.transaction"),
    ("qsmtpd.config", "qsmtpd.catalogue", "qsmtpd.lookups"),
    ("qsmtpd.drivers", "qsmtpd.main", "qsmtpd.listen"),
)
"""L0 to L4.  A module of qsmtpd belongs to the layer that names it, or the package that it is in."""

PURE_LAYERS = (1, 2)
NOT_PURE = ("os", "posix", "socket", "_socket", "ssl", "time", "select", "asyncio", "logging")
"""The session, the rules and the checks take bytes and times as values, and return them."""

FOR_EVERYBODY = ("qsmtpd.qmail", "qsmtpd.rules")
"""What qqshim and holdq may use of qsmtpd."""


def sources() -> dict[str, Path]:
    """Module: file, for every module of ours."""
    found = {}
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()


def imports(module: str) -> set[str]:
    """All that a module imports, anywhere in it, also for the type checker only; "from a import b" is a.b if that is one."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[module].read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(module, node)
            found.update(f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in SOURCES else origin for alias in node.names)
    return found


def absolute(module: str, node: ast.ImportFrom) -> str:
    """The module that "from" names, the leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = module.split(".") if SOURCES[module].name == "__init__.py" else module.split(".")[:-1]
    package = package[:len(package) - node.level + 1]
    return ".".join([*package, node.module] if node.module else package)


def within(module: str, places: tuple[str, ...]) -> bool:
    """The module is one of the places, or in one of them."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def layer(module: str) -> int | None:
    return next((number for number, places in enumerate(LAYERS) if within(module, places)), None)


def ours(module: str) -> set[str]:
    return {name for name in imports(module) if within(name, OURS)}


@pytest.mark.parametrize("package", OURS)
def test_package_is_empty(package: str) -> None:
    """So that importing one module of it costs that module, and brings no layer in by the back door."""
    assert not imports(package)


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("qsmtpd.")])
def test_qsmtpd_imports_go_down(module: str) -> None:
    mine = layer(module)

    assert mine is not None, f"no layer claims {module}: name it in LAYERS"
    assert not {name for name in ours(module) if layer(name) not in range(mine + 1)}


@pytest.mark.parametrize("module", [name for name in SOURCES if within(name, LAYERS[0])])
def test_the_bottom_needs_nobody(module: str) -> None:
    assert all(within(name, LAYERS[0]) for name in ours(module))


@pytest.mark.parametrize("module", [name for name in SOURCES if layer(name) in PURE_LAYERS])
def test_the_session_and_the_checks_touch_nothing(module: str) -> None:
    assert not {name for name in imports(module) if within(name, NOT_PURE)}


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("qsmtpd.checks.")])
def test_no_check_imports_another(module: str) -> None:
    assert {name for name in ours(module) if within(name, ("qsmtpd.checks",))} <= {"qsmtpd.checks.base"}


@pytest.mark.parametrize("module", [name for name in SOURCES if within(name, ("qqshim", "holdq"))])
def test_shim_and_queue_stand_on_qmail_and_rules(module: str) -> None:
    allowed = (module.partition(".")[0], *FOR_EVERYBODY)

    assert not {name for name in ours(module) if not within(name, allowed)}


@pytest.mark.parametrize("module", [name for name in SOURCES if not within(name, ("tools",))])
def test_nobody_imports_tools(module: str) -> None:
    assert not {name for name in ours(module) if within(name, ("tools",))}
