"""The program: what it says, who it becomes, and its sockets, with a stand-in for the sessions."""

import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, QmailHome
from tests.servers import Service, free_port, listens, running
from tests.ucspi import classic

STANDIN = (sys.executable, str(ROOT / "tests/standin.py"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of a run that ends by itself."""
    done = subprocess.run([*STANDIN, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


@contextmanager
def program(tmp_path: Path, port: int, *words: str, **more: str) -> Iterator[Service]:
    """The program while it listens."""
    log = tmp_path / f"log.{port}"
    environment = {**ENVIRONMENT, **more}
    with running([*STANDIN, "-v", *words], log, lambda: b"worker number=" in log.read_bytes(), env=environment) as service:
        yield service
        assert talk(port, "bye")[0].isdigit()


def talk(port: int, word: str, ip: str = "127.0.0.1") -> list[str]:
    """What the stand-in says of itself, and its answer."""
    with socket.create_connection((ip, port), 20) as client, client.makefile("rw") as file:
        client.settimeout(20)
        greeting = file.readline()
        file.write(f"{word}\n")
        file.flush()
        return [*greeting.split(), file.readline().strip()]


@pytest.mark.parametrize("words", [[], ["-Z", "0", "25"], ["0", "25", "qmail-smtpd"], ["-c", "x", "0", "25"]])
def test_wrong_use(words: list[str]) -> None:
    code, out, err = run(*words)

    assert (code, out) == (100, "")
    assert re.fullmatch("qsmtpd-listen: fatal: .+\n", err)
    assert subprocess.run([classic("tcpserver"), "-Z"], capture_output=True, check=False).returncode == code


def test_help() -> None:
    code, out, err = run("--help")

    assert (code, err) == (0, "")
    assert out.startswith("usage: qsmtpd-listen ")


@pytest.mark.parametrize("quiet", [False, True])
def test_an_address_that_is_taken(quiet: bool) -> None:
    """Exit 111 as tcpserver, and supervise tries again; with -q not a word."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = run("-q" if quiet else "-Q", "127.0.0.1", str(port))

    assert (code, out) == (111, "")
    assert err == ("" if quiet else
                   f"qsmtpd-listen: fatal: unable to listen on 127.0.0.1 port {port}: Address already in use\n")


def test_a_port_of_its_choice() -> None:
    """-1: a line for each address on standard output, where nobody writes any more afterwards."""
    argv = [*STANDIN, "-1", "127.0.0.1", "0", "::1", "0"]
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        four, six = (int(process.stdout.readline()) for _ in range(2))
        assert process.stdout.read() == ""
        try:
            assert talk(four, "fds")[-1] == "/dev/null"
            assert talk(six, "fds", "::1")[-1] == "/dev/null"
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_what_has_no_meaning_is_said_once(tmp_path: Path) -> None:
    port = free_port()
    with program(tmp_path, port, "-rd", "-t5", "-r", "127.0.0.1", str(port)) as service:
        said = [line for line in service.output().split("\n") if "no meaning" in line]

    assert [line.split(": ")[1] for line in said] == ["-r", "-d", "-t"]


@pytest.mark.root
def test_becoming_somebody_else(tmp_path: Path) -> None:
    """Once the port is there, with no other group: as tcpserver -u -g."""
    port = free_port()
    nobody = pwd.getpwnam("nobody")
    with program(tmp_path, port, "-u", str(nobody.pw_uid), "-g", str(nobody.pw_gid), "127.0.0.1", str(port)):
        assert talk(port, "ids")[-1] == f"{nobody.pw_uid} {nobody.pw_gid} [{nobody.pw_gid}]"
    port = free_port()
    with program(tmp_path, port, "-U", "127.0.0.1", str(port), UID="12345", GID="23456"):
        assert talk(port, "ids")[-1] == "12345 23456 [23456]"


@pytest.mark.root
@pytest.mark.parametrize("option", ["-u", "-g"])
def test_who_may_not(option: str) -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *STANDIN, option, "1", "127.0.0.1", str(free_port())],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stderr) == (
        111, f"qsmtpd-listen: fatal: unable to set {option[1]}id: Operation not permitted\n")


def test_sockets_of_systemd() -> None:
    """LISTEN_FDS, with LISTEN_PID: no address on the command line."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        # The shell puts the socket where systemd does, and its own process becomes the program.
        shell = f"exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 exec {' '.join(STANDIN)} -v"
        with subprocess.Popen(["sh", "-c", shell], stdin=theirs.fileno(), stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
            try:
                assert talk(port, "bye")[0] != str(process.pid)
            finally:
                process.terminate()
            assert process.wait(20) == 0


def test_a_socket_of_s6() -> None:
    """s6-tcpserver-socketbinder passes it on as descriptor 0."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        with subprocess.Popen([*STANDIN, "fd:0"], stdin=theirs.fileno(), stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:
            theirs.close()
            try:
                assert talk(port, "fds")[-1] == "/dev/null"
            finally:
                process.terminate()
            assert process.wait(20) == 0


def test_the_process_that_forks_is_small() -> None:
    """No loop and no threads: a fork costs little, and the child has no lock that nobody will let go."""
    heavy = "{'asyncio', 'uvloop', 'threading'}"
    code = f"import sys; from qsmtpd import listen; print([*{heavy}.intersection(sys.modules)])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == "[]\n"


def test_the_service_directory(tmp_path: Path, qmail_home: QmailHome) -> None:
    """examples/run/qsmtpd-listen under a user of its own: threads too have room in what softlimit leaves."""
    port = free_port()
    program = tmp_path / "bin/qsmtpd-listen"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(STANDIN)} "$@"\n')
    program.chmod(0o755)
    settings = {"FRONTLINE": str(tmp_path), "QMAILHOME": str(qmail_home.path), "ADDRESSES": f"127.0.0.1 {port}", "ONE_UID": "1"}
    log = tmp_path / "log"
    script = ROOT / "examples/run/qsmtpd-listen/run"
    with running(["sh", script], log, lambda: listens(port), env={**ENVIRONMENT, **settings}) as service:
        assert talk(port, "thread")[-1] == "a thread"
        assert "worker number=0" in service.output()
        assert "no meaning" not in service.output()
