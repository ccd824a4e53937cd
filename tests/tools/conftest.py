"""What the tests of the tools share."""

from pathlib import Path

import pytest

from tests.tools.qmailsite import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Site:
    """A server with the domain here.test and the account alias, which has no .qmail files."""
    return Site(tmp_path, monkeypatch, capfd)
