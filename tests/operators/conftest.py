"""What the tests of the rule sets share."""

import shutil
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def programs(installation: Path) -> Path:
    """The installation, with what SPF needs (docs/spf.md)."""
    library = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages", "spf.py")
    shutil.copy(Path(sys.prefix) / library, installation / library)
    return installation
