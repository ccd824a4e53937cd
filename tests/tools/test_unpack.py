"""What a pack brings in later: from the pack as long as the sources are those that were packed."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

LATER = "qsmtpd.qmail.received"
"""A module that only a session with a message needs."""


@pytest.fixture
def program(installation: Path, tmp_path: Path) -> Path:
    """The launcher of a program that says where its later imports come from, in an installation of its own."""
    launcher = tmp_path / "ask"
    launcher.write_text("""\
# The part that pack.py leaves out ends with site-packages.
import sys
from qsmtpd.replies import OK
import posix

def say(name):
    module = __import__(name, fromlist=["x"])
    print(type(module.__loader__).__name__, module.__name__, module.__package__, module.__file__, hasattr(module, "__path__"))

for name in posix.environ[b"NAMES"].decode().split():
    try:
        say(name)
    except ImportError as error:
        print(type(error).__name__, error.name)
""")
    bin_directory = installation / "bin"
    subprocess.run([bin_directory / "python3", "-IS", ROOT / "tools/pack.py", installation, launcher], check=True)
    return bin_directory / "ask"


def said(program: Path, *names: str) -> list[list[str]]:
    done = subprocess.run([program], env={"NAMES": " ".join(names)}, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.rstrip("\n").split("\n")]


def source(program: Path, name: str) -> Path:
    packages = next((program.parent.parent / "lib").glob("python*/site-packages"))
    path = packages / Path(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_a_module_and_a_package(program: Path) -> None:
    assert said(program, LATER, "qsmtpd.lookups") == [
        ["Later", LATER, "qsmtpd.qmail", str(source(program, LATER)), "False"],
        ["Later", "qsmtpd.lookups", "qsmtpd.lookups", str(source(program, "qsmtpd.lookups")), "True"]]


def test_what_is_not_ours_is_found_as_always(program: Path) -> None:
    (of_python, *_), (missing, name) = said(program, "shlex", "qsmtpd.nothing")

    assert (of_python, missing, name) == ("SourceFileLoader", "ModuleNotFoundError", "qsmtpd.nothing")


def test_a_source_that_has_changed_or_is_gone(program: Path) -> None:
    path = source(program, LATER)
    text, found = path.read_bytes(), path.stat()
    try:
        path.write_bytes(text + b"\n")
        assert said(program, LATER)[0][0] == "SourceFileLoader"
        path.unlink()
        assert said(program, LATER)[0] == ["ModuleNotFoundError", LATER]
    finally:
        path.write_bytes(text)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert said(program, LATER)[0][0] == "Later"


def test_an_error_says_in_which_line_of_the_source(installation: Path, tmp_path: Path) -> None:
    launcher = tmp_path / "fail"
    launcher.write_text("# site-packages\nfrom qsmtpd.address import parse\n\nparse(b'')\n")
    subprocess.run([installation / "bin/python3", "-IS", ROOT / "tools/pack.py", installation, launcher], check=True)

    done = subprocess.run([installation / "bin/fail"], capture_output=True, text=True, check=False)

    text = (ROOT / "qsmtpd/address.py").read_text()
    number = text[:text.index('raise PathError("no path")')].count("\n") + 1
    assert f'qsmtpd/address.py", line {number}, in parse' in done.stderr
