"""The programs of the two versions of ucspi-tcp: Debian's ucspi-tcp, and ucspi-tcp-ipv6, which make unpacks into .packages/."""

import os
import subprocess
from pathlib import Path

from tests.conftest import ROOT

UNPACKED = ROOT / ".packages/ucspi-tcp-ipv6/usr/bin"


def classic(program: str) -> str:
    """The program of ucspi-tcp, as it is installed."""
    return program


def six(program: str) -> str:
    """The program of ucspi-tcp-ipv6."""
    if not UNPACKED.exists():
        subprocess.run([ROOT / "tests/packages.sh"], check=True)
    return str(UNPACKED / program)


def compiled(tcprules: str, directory: Path, text: bytes) -> bool:
    """Whether tcprules made directory/cdb from the rules."""
    command = [tcprules, str(directory / "cdb"), str(directory / "tmp")]
    return subprocess.run(command, input=text, capture_output=True, check=False).returncode == 0


def checked(tcprulescheck: str, directory: Path, ip: bytes, host: bytes | None = None, info: bytes | None = None) -> bytes:
    """What tcprulescheck prints for a client."""
    environment = {b"PATH": os.environb[b"PATH"], b"TCPREMOTEIP": ip}
    environment |= {b"TCPREMOTEHOST": host} if host is not None else {}
    environment |= {b"TCPREMOTEINFO": info} if info is not None else {}
    return subprocess.run([tcprulescheck, str(directory / "cdb")], env=environment, capture_output=True, check=True).stdout
