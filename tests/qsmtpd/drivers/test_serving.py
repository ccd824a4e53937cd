"""A worker's life, in a process of its own."""

import asyncio
import gc
import os
import signal
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qsmtpd.drivers.handed import MESSAGE, listening
from qsmtpd.drivers.options import Options
from qsmtpd.drivers.serving import collect_briefly, serve
from qsmtpd.qmail.control import Control
from tests.conftest import QmailHome
from tests.handoffs import close_all
from tests.play import environment
from tests.qsmtpd.drivers.test_handed import message, send

OPTIONS = Options(host_lookup=False, local_name=b"mx.bench.test", drain=10.0)


def slow(control: Control, note: Any) -> Any:
    """A handler for messages: takes a while, and answers what the control directory says."""
    async def handler(_environment: dict[bytes, bytes], fds: dict[int, int], _pid: int) -> int:
        close_all(fds)
        await asyncio.sleep(0.5)
        note("taken", [])
        return control.integer("answer") or 0

    return handler


@contextmanager
def worker(home: QmailHome, *arguments: Any, options: Options = OPTIONS) -> Iterator[tuple[int, int]]:
    """Its pid, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listens:
        listens.setblocking(False)
        with environment({"QMAILHOME": bytes(home.path)}):
            pid = os.fork()
            if not pid:
                try:
                    os.dup2(os.open(home.path / "log", os.O_CREAT | os.O_WRONLY), 2)
                    os._exit(serve([listens], options, None, *arguments))
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(99)
        try:
            yield pid, listens.getsockname()[1]
        finally:
            if pid_there(pid):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def pid_there(pid: int) -> bool:
    try:
        return not os.waitpid(pid, os.WNOHANG)[0]
    except ChildProcessError:
        return False


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[socket.socket]:
    place = tmp_path / "service"
    place.mkdir(mode=0o700)
    with listening(str(place / "socket")) as made:
        yield made


def hand_over(service: socket.socket, kind: bytes, numbers: bytes, fds: list[int]) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(service.getsockname())
    send(client, message(kind, numbers), fds)
    return client


def test_the_table_of_descriptors_never_grows(qmail_home: QmailHome) -> None:
    """There are threads, and all sessions would wait for it (descriptors.py)."""
    with worker(qmail_home, options=replace(OPTIONS, limit=500, messages=250)) as (pid, port), \
            socket.create_connection(("127.0.0.1", port), 20) as client:
        client.recv(100)
        status = Path(f"/proc/{pid}/status").read_text()
    assert int(status.partition("FDSize:")[2].split()[0]) >= 500 + 250


def test_term_sends_who_says_nothing_home(qmail_home: QmailHome) -> None:
    with worker(qmail_home) as (pid, port), socket.create_connection(("127.0.0.1", port), 20) as client:
        client.recv(100)
        os.kill(pid, signal.SIGTERM)
        assert client.recv(100).startswith(b"421 4.3.2")
        began = time.monotonic()
        client.close()
        assert ended(pid) == 0
        assert time.monotonic() - began < 5


def test_who_is_not_done_in_time_is_cut_off_and_nothing_looks_after_him_any_more(
        qmail_home: QmailHome, service: socket.socket) -> None:
    """A worker waits for its threads at its end: nothing may run meanwhile that needs what is closed."""
    def busy(_control: Control, _note: Any) -> Any:
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 4)

    qmail_home.write("rcpthosts", "bench.test")
    began = time.monotonic()
    with (worker(qmail_home, service, {MESSAGE: busy}, options=replace(OPTIONS, drain=0.5)) as (pid, port),
          socket.create_connection(("127.0.0.1", port), 20) as client, client.makefile("rb") as said):
        client.sendall(b"EHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@bench.test>\r\nDATA\r\n")
        assert any(line.startswith(b"354") for line in said)
        os.kill(pid, signal.SIGTERM)
        client.sendall(b"half a line")
        assert not said.read()
        assert time.monotonic() - began < 3
        assert ended(pid) == 0
    assert time.monotonic() - began > 3
    log = (qmail_home.path / "log").read_bytes()
    assert log.endswith(b"\n")
    assert b"Traceback" not in log
    assert b"fault " not in log


def test_a_message_that_was_handed_over_comes_to_its_end(qmail_home: QmailHome, service: socket.socket) -> None:
    """Who was given the work has let go of it: TERM may not break it off."""
    qmail_home.write("answer", "54")
    with worker(qmail_home, service, {MESSAGE: slow}) as (pid, _):
        with hand_over(service, b"q", b"\0\1", [*os.pipe()]) as client:
            began = client.recv(1)
            os.kill(pid, signal.SIGTERM)
            code = client.recv(1)
        assert (began, code) == (b"+", b"\x36")
        assert ended(pid) == 0
    assert "taken" in (qmail_home.path / "log").read_text()


def test_without_a_taker_for_messages_nobody_begins(qmail_home: QmailHome, service: socket.socket) -> None:
    with worker(qmail_home, service), hand_over(service, b"q", b"\0\1", [*os.pipe()]) as client:
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass


def test_sessions_are_taken(qmail_home: QmailHome, service: socket.socket) -> None:
    ours, theirs = socket.socketpair()
    with worker(qmail_home, service), ours, theirs, hand_over(service, b"s", b"\0", [theirs.fileno()]) as client:
        theirs.close()
        ours.settimeout(20)
        greeting = ours.recv(100)
        ours.sendall(b"QUIT\r\n")
        assert greeting.startswith(b"220 ")
        assert client.recv(1) + client.recv(1) == b"+\0"


def test_the_collector_never_looks_at_much() -> None:
    """However much is held: everything waits for it."""
    looked_at = []

    def watch(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looked_at.append(sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))

    before = gc.get_threshold()
    try:
        collect_briefly()
        gc.callbacks.append(watch)
        held = [[number] for number in range(500_000)]
    finally:
        gc.callbacks.remove(watch)
        gc.set_threshold(*before)
        gc.unfreeze()
    assert len(held) == 500_000
    assert len(looked_at) > 40
    assert max(looked_at) < 12_000
