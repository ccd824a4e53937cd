"""What a process weighs: in one of its own, for what other tests have left free is taken first."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

MIB = 1 << 20


def told(code: str) -> list[int]:
    """The numbers that a process prints."""
    head = "import gc, mmap\nfrom qsmtpd.drivers.weight import Weight, trim\nMIB, weight = 1 << 20, Weight()\n"
    argv = [sys.executable, "-c", f"{head}{code}\nweight.close()"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return [int(word) for word in done.stdout.split()]


def test_what_is_allocated_is_felt_and_what_is_trimmed_is_gone() -> None:
    """malloc alone would keep what lies below the last byte that is in use."""
    before, full, after = told("""
print(weight())
held = [bytes([1]) * 50_000 for _ in range(1000)]
print(weight())
last = held[-1]
del held
gc.collect()
trim()
print(weight())""")

    assert full - before > 40 * MIB
    assert after - before < 10 * MIB


@pytest.mark.parametrize(("call", "few"), [("share_arenas()", True), ("", False)])
def test_threads_share_their_arenas(call: str, few: bool) -> None:
    """Each of malloc's arenas but the first reserves 64 MiB of addresses."""
    found, = told(f"""
import threading
from qsmtpd.drivers.weight import share_arenas
{call}
all_there = threading.Barrier(8)
def work():
    all_there.wait()
    held = [bytes(5000) for _ in range(100)]
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
reserved = 0
for line in open("/proc/self/maps"):
    begin, _, end = line.split()[0].partition("-")
    reserved += "---p" in line and 32 * MIB < int(end, 16) - int(begin, 16) < 64 * MIB
print(reserved)""")

    assert (found <= 2) == few


def test_shared_memory_is_not_ours() -> None:
    """The copy that is made of a database is for all, and does not grow with clients."""
    before, after = told("""
print(weight())
shared = mmap.mmap(-1, 30 * MIB)
shared.write(b"x" * 30 * MIB)
print(weight())""")

    assert after - before < 10 * MIB
