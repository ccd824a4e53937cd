"""The installed program in a throw-away qmail home, and real scanners for the whole run."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scanners
from tests.conftest import ROOT, QmailHome
from tests.handoffs import is_there
from tests.qqshim.callers import HandedShim, Shim
from tests.servers import running


@pytest.fixture(scope="session")
def clamd() -> Iterator[scanners.Scanner]:
    with scanners.clamd() as scanner:
        yield scanner


@pytest.fixture(scope="session")
def spamd() -> Iterator[scanners.Scanner]:
    with scanners.spamd() as scanner:
        yield scanner


@pytest.fixture
def cold(installation: Path, qmail_home: QmailHome) -> Shim:
    """The program that does the work alone."""
    return Shim(installation / "bin/qqshim", qmail_home.path)


@pytest.fixture
def handed(installation: Path, qmail_home: QmailHome) -> Iterator[Shim]:
    """The one that has it done by a service."""
    place = qmail_home.path / "frontline"
    place.mkdir(mode=0o700)
    program = place / "handoff-qqshim"
    shutil.copy(installation / "bin/handoff-qqshim", program)
    environment = {"QMAILHOME": str(qmail_home.path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    socket = place / "socket"
    argv = [sys.executable, "-W", "error", "-m", "tests.qqshim.serving", socket]
    with running(argv, place / "log", lambda: is_there(socket), cwd=qmail_home.path, env=environment):
        yield HandedShim(program, qmail_home.path, socket)


@pytest.fixture(params=["cold", "handed"])
def shim(request: pytest.FixtureRequest) -> Shim:
    """Both, one after the other: whoever calls sees no difference."""
    found: Shim = request.getfixturevalue(request.param)
    return found
