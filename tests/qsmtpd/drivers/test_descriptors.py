"""The descriptors of a process, in one of its own: their limit, and their table in the kernel."""

import os
import subprocess
import sys

import pytest

from qsmtpd.drivers.descriptors import SPARE, SPARE_FOR_SERVICE, wanted
from qsmtpd.drivers.options import Options
from tests.conftest import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def limited(soft: int, hard: int, *words: str) -> str:
    """What becomes of the options in a process that was started with these limits."""
    code = (f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
            "from qsmtpd.drivers import descriptors, options as command_line\n"
            f"options = descriptors.within_limits(command_line.parse({list(words)!r}), False)\n"
            "print(options.limit, resource.getrlimit(resource.RLIMIT_NOFILE)[0], *options.remarks)")
    who = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    return subprocess.run([*who, sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_a_descriptor_for_each_connection() -> None:
    """A138: the limit is raised where we may, and where we may not there are fewer connections, which is said."""
    assert limited(100, 3000, "-c", "1000", "0", "25") == f"1000 {1500 + SPARE}"
    assert limited(3000, 3000, "-c", "1000", "0", "25") == "1000 3000"
    assert limited(700, 700, "-c", "1000", "0", "25") == (
        "125 700 -c 1000: there are 700 descriptors for a process: no more than 125 connections")


def test_what_handoff_brings_comes_on_top() -> None:
    options = Options(limit=1000, messages=500)

    assert wanted(options, service=False) == 1500 + SPARE
    assert wanted(options, service=True) == 1500 + SPARE + SPARE_FOR_SERVICE


@pytest.mark.parametrize(("soft", "size"), [(5000, 4096), (1000, 1024)])
def test_the_table_is_as_large_as_it_will_be(soft: int, size: int) -> None:
    """One that grows under threads stops everybody for 5 to 27 ms.  proc(5): FDSize, the slots that there are."""
    code = (f"import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {soft}))\n"
            "from qsmtpd.drivers.descriptors import reserve\n"
            "before = sorted(os.listdir('/proc/self/fd'))\n"
            "reserve(4000)\n"
            "assert sorted(os.listdir('/proc/self/fd')) == before\n"
            "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('FDSize')])")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30, check=True)

    assert int(done.stdout) == size
