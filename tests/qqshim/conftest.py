"""The installed program in a throw-away qmail home, and real scanners for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scanners
from tests.conftest import QmailHome
from tests.qqshim.callers import Shim


@pytest.fixture(scope="session")
def clamd() -> Iterator[scanners.Scanner]:
    with scanners.clamd() as scanner:
        yield scanner


@pytest.fixture(scope="session")
def spamd() -> Iterator[scanners.Scanner]:
    with scanners.spamd() as scanner:
        yield scanner


@pytest.fixture
def shim(installation: Path, qmail_home: QmailHome) -> Shim:
    return Shim(installation / "bin/qqshim", qmail_home.path)
