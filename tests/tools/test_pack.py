"""Packed launchers: the same programs, in less time; and what happens when a pack does not fit."""

import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, QmailHome
from tests.play import run_program
from tools import pack, unpack

LAUNCHERS = sorted(ROOT.glob("*/launch/*"))
TAG = sys.implementation.cache_tag


@pytest.fixture
def prefix(installation: Path, tmp_path: Path) -> Path:
    """An installation of our own, to be damaged."""
    place = tmp_path / "prefix"
    shutil.copytree(installation, place, symlinks=True)
    subprocess.run([place / "bin/python3", "-IS", ROOT / "tools/pack.py", place, *LAUNCHERS], check=True)
    return place


def packages(prefix: Path) -> Path:
    return next((prefix / "lib").glob("python*/site-packages"))


def greets(prefix: Path, home: QmailHome) -> bool:
    """Whether qsmtpd works."""
    answer, _, exit_code = run_program([prefix / "bin/qsmtpd"], home, {}, b"QUIT\r\n")
    return answer.startswith(b"220 mx.bench.test ") and exit_code == 0


def imports(prefix: Path, home: QmailHome) -> bool:
    """Whether it imports its modules one by one."""
    argv = [str(prefix / "bin/python3"), "-ISv", str(prefix / "bin/qsmtpd")]
    done = subprocess.run(argv, input=b"QUIT\r\n", capture_output=True, check=True, env={"QMAILHOME": str(home.path)})
    return b"import 'qsmtpd.session'" in done.stderr


def test_a_packed_program_imports_nothing_of_ours(prefix: Path, qmail_home: QmailHome) -> None:
    assert greets(prefix, qmail_home)
    assert not imports(prefix, qmail_home)


def test_what_comes_later_is_imported_as_always(prefix: Path, qmail_home: QmailHome) -> None:
    """The queue, which only a session with a message needs."""
    qmail_home.write("rcpthosts", "bench.test")
    said = b"MAIL FROM:<>\r\nRCPT TO:<a@bench.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"

    run_program([prefix / "bin/qsmtpd"], qmail_home, {}, said)

    assert len(qmail_home.messages()) == 1


def without(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def of_something_else(path: Path) -> None:
    path.write_bytes(b"i\x07\0\0\0")


@pytest.mark.parametrize("damage", [without, cut_off, empty, of_something_else])
def test_a_pack_that_is_damaged(damage: Callable[[Path], None], prefix: Path, qmail_home: QmailHome) -> None:
    damage(packages(prefix) / f"qsmtpd.pack.{TAG}")

    assert greets(prefix, qmail_home)
    assert imports(prefix, qmail_home)


def test_a_source_that_has_changed_is_what_runs(prefix: Path, qmail_home: QmailHome) -> None:
    source = packages(prefix) / "qsmtpd/replies.py"
    source.write_text(source.read_text().replace(' ESMTP"', ' ready, ESMTP"'))

    answer, _, _ = run_program([prefix / "bin/qsmtpd"], qmail_home, {}, b"QUIT\r\n")

    assert answer.startswith(b"220 mx.bench.test ready, ESMTP\r\n")


def test_a_source_that_is_gone(prefix: Path, qmail_home: QmailHome) -> None:
    """Half an upgrade: nobody is greeted by what is no longer installed."""
    (packages(prefix) / "qsmtpd/replies.py").unlink()

    answer, _, exit_code = run_program([prefix / "bin/qsmtpd"], qmail_home, {}, b"QUIT\r\n")

    assert (answer, exit_code) == (b"", 1)


def test_the_other_programs_do_what_they_did(prefix: Path, qmail_home: QmailHome) -> None:
    """54: the caller gave up; 74: no spool and no runner."""
    codes = [run_program([prefix / "bin" / name], qmail_home, {}, b"")[2] for name in ("qqshim", "holdq-queue")]

    assert codes == [54, 74]


def test_names_of_modules_that_are_there_are_taken_without_an_import(tmp_path: Path) -> None:
    """Under the same names, and nothing else: what is imported in a function, or may not be there, is imported as always."""
    source = tmp_path / "b.py"
    source.write_text(
        "from . import c\nfrom .c import one as first, two\nfrom .far import three\nfrom . import d\nimport posix\n"
        "def late():\n    from .c import four\n    return four\n")
    of_c = {"one": 1, "two": 2}
    modules = {"a.c": types.SimpleNamespace(**of_c)}
    code = pack.compiled(("a.b", str(source), unpack.MODULE, 0, 0), {"a": unpack.PACKAGE, "a.c": unpack.MODULE})
    asked: list[str] = []

    def ask(name: str, _globals: object, _locals: object, names: tuple[str, ...] | None, level: int) -> object:
        asked.append(f"{level} {name} {names}")
        return types.SimpleNamespace(three=3, d=4)

    room: dict[str, object] = {unpack.MODULES: modules, "__builtins__": {"__import__": ask}}
    exec(code, room)

    assert (room["c"], room["first"], room["two"], room["three"]) == (modules["a.c"], 1, 2, 3)
    assert asked == ["1 far ('three',)", "1  ('d',)", "0 posix None"]
