"""The machine's state, against psutil, and against files that the kernel would never write."""

import os
from pathlib import Path
from socket import AF_INET

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.machine import MachineState, memory, pressure
from tests.qsmtpd.lookups.test_connections import connected


def test_load() -> None:
    load = MachineState().read("load")

    assert load == pytest.approx(os.getloadavg()[0], abs=2)
    assert MachineState().read("load-cpu") == pytest.approx(load / (os.cpu_count() or 1), abs=2)


def test_memory_is_what_psutil_says() -> None:
    known = psutil.virtual_memory()

    assert MachineState().read("memory") == pytest.approx(100 * known.available / known.total, abs=5)


@pytest.mark.parametrize("name", ["cpu", "memory", "io"])
def test_pressure_is_a_percentage_or_unknown(name: str) -> None:
    """The kernel that runs the test may have no PSI."""
    try:
        Path(f"/proc/pressure/{name}").read_bytes()
    except OSError:
        with pytest.raises(LookupFailedError):
            MachineState().read(f"psi-{name}")
    else:
        assert 0 <= MachineState().read(f"psi-{name}") <= 100


def test_a_kernel_without_psi(tmp_path: Path) -> None:
    with pytest.raises(LookupFailedError, match=r"^psi-io: "):
        MachineState(str(tmp_path)).read("psi-io")


def test_the_figures_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/io").write_bytes(b"some avg10=12.34 avg60=1.00 avg300=0.50 total=77\nfull avg10=9.99 total=7\n")
    (tmp_path / "meminfo").write_bytes(b"MemTotal:       4000 kB\nMemFree:        5 kB\nMemAvailable:    1000 kB\n")

    assert MachineState(str(tmp_path)).read("psi-io") == 12.34
    assert MachineState(str(tmp_path)).read("memory") == 25


@given(st.binary(max_size=80), st.sampled_from([b"", b"MemTotal: ", b"MemTotal: 0 kB\nMemAvailable: 1 kB\n", b"some avg10="]))
def test_files_that_say_nothing(text: bytes, start: bytes) -> None:
    for figure in (memory, pressure):
        try:
            assert isinstance(figure(start + text), float)
        except ValueError:
            continue


def test_sessions() -> None:
    with connected(AF_INET, "127.0.0.1", "127.0.0.5", "127.0.0.6") as port:
        assert MachineState().sessions(b"127.0.0.5", str(port).encode()) == (1, 2)
        assert MachineState().sessions(b"::ffff:127.0.0.6", str(port).encode()) == (1, 2)


@pytest.mark.parametrize(("ip", "port"), [(b"unknown", b"25"), (b"192.0.2.1", b""), (b"192.0.2.1", b"smtp"),
                                          (b"192.0.2.1", b"65536")])
def test_who_is_not_known_is_not_counted(ip: bytes, port: bytes) -> None:
    with pytest.raises(LookupFailedError, match=r"^sessions: "):
        MachineState().sessions(ip, port)
