"""What the tests of the rule sets share."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scanners


@pytest.fixture(scope="session")
def programs(installation: Path) -> Path:
    """The installation, with what SPF needs (docs/spf.md)."""
    library = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages", "spf.py")
    shutil.copy(Path(sys.prefix) / library, installation / library)
    return installation


@pytest.fixture(scope="session")
def clamd() -> Iterator[scanners.Scanner]:
    with scanners.clamd() as scanner:
        yield scanner


@pytest.fixture(scope="session")
def spamd() -> Iterator[scanners.Scanner]:
    with scanners.spamd() as scanner:
        yield scanner
