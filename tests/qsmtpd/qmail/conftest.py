"""Programs for queue runs, written by the test that needs them."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes an executable file from the text, a shell script unless it begins with #!; returns its path."""
    def make(text: str) -> str:
        path = tmp_path / f"program{len(list(tmp_path.glob('program*')))}"
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make
