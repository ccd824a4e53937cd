"""A site with a spool, for the tests of holdq."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.holdq.site import Site


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A directory that every user may enter; pytest's own are closed to all others whenever another pytest starts."""
    path = Path(tempfile.mkdtemp(prefix="holdq-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")
