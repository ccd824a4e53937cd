"""A site with a spool, for the tests of holdq."""

from pathlib import Path

import pytest

from tests.holdq.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")
