"""The Redis store where the server misbehaves; what it answers when all is well is in test_store.py."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.redisstore import RedisStore
from qsmtpd.lookups.store import PAUSE
from qsmtpd.rules.atonce import complete
from tests.servers import Service, free_port, listens, running


@contextlib.contextmanager
def server(*options: str) -> Iterator[tuple[Service, str]]:
    """A Redis server on a loopback port, and its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="frontline-") as place:
        argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place, *options]
        with running(argv, Path(place, "log"), lambda: listens(port)) as service:
            yield service, f"redis://127.0.0.1:{port}/0"


def failure(store: RedisStore) -> str:
    """How the store says that there is no answer."""
    with pytest.raises(LookupFailedError) as failed:
        complete(store.get(b"a"))
    return str(failed.value)


def test_nothing_is_left_of_a_store_that_was_closed() -> None:
    """A130: the listener makes another with each HUP, and its collector of cycles hardly ever comes."""
    def parts() -> int:
        return sum(type(each).__name__ == "ConnectionPool" for each in gc.get_objects())

    before = parts()
    gc.disable()
    try:
        store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
        failure(store)
        assert parts() == before + 1
        store.close()
        assert parts() == before
    finally:
        gc.enable()


def test_an_attempt_that_fails_leaves_nothing() -> None:
    """A130: the library keeps its errors in the frames that raised them, and each of them a socket."""
    now = [0.0]
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0", clock=lambda: now[0])
    failure(store)
    gc.collect()
    gc.disable()
    try:
        for now[0] in (10.0, 20.0, 30.0):
            with contextlib.suppress(LookupFailedError):
                complete(store.get(b"a"))
        assert gc.collect() == 0
    finally:
        gc.enable()


def cli(url: str, *words: str) -> str:
    port = url.rpartition(":")[2].partition("/")[0]
    return subprocess.run(["redis-cli", "-p", port, *words], check=True, capture_output=True, text=True).stdout


def test_a_server_that_dies_and_comes_back() -> None:
    """Unknown at once, one attempt in some seconds; then it is asked again."""
    now = [0.0]
    with server() as (service, url):
        store = RedisStore(url, clock=lambda: now[0])
        complete(store.put(b"a", b"1", 60))
        os.kill(service.pid, signal.SIGKILL)
        start = time.monotonic()
        for _ in range(100):
            assert failure(store).startswith("store: ")
        assert time.monotonic() - start < 2
    port = url.rpartition(":")[2].partition("/")[0]
    with running(["redis-server", "--port", port, "--save", ""], Path(os.devnull), lambda: listens(int(port))):
        assert failure(store)
        now[0] = PAUSE
        assert complete(store.get(b"a")) is None
        complete(store.put(b"a", b"2", 60))
        assert complete(store.get(b"a")) == b"2"


def test_nobody_listens() -> None:
    start = time.monotonic()
    assert "Connection refused" in failure(RedisStore(f"redis://127.0.0.1:{free_port()}/0"))
    assert "No such file" in failure(RedisStore("unix:///nowhere/redis.sock"))
    assert time.monotonic() - start < 2


def test_a_server_that_does_not_answer() -> None:
    """It takes the connection and stays silent: one wait of two seconds, then the session goes on without."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = RedisStore(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        start = time.monotonic()
        for _ in range(10):
            failure(store)

        assert 1.5 < time.monotonic() - start < 5


def test_a_server_that_stands_still() -> None:
    with server() as (service, url):
        store = RedisStore(url)
        complete(store.put(b"a", b"1", 60))
        os.kill(service.pid, signal.SIGSTOP)
        start = time.monotonic()
        for _ in range(10):
            failure(store)
        os.kill(service.pid, signal.SIGCONT)

        assert 1.5 < time.monotonic() - start < 5


def test_what_is_no_redis() -> None:
    """Something else has the port, and says so, or hangs up."""
    for words in (b"220 mail.example ESMTP\r\n", b"HTTP/1.1 400 No\r\n\r\n", b"$999999999999\r\n", b"*1\r\n*1\r\n", b""):
        with socket.create_server(("127.0.0.1", 0)) as other:
            speaker = threading.Thread(target=speak, args=(other, words))
            speaker.start()
            assert failure(RedisStore(f"redis://127.0.0.1:{other.getsockname()[1]}/0")).startswith("store: ")
            speaker.join(30)


def speak(server: socket.socket, words: bytes) -> None:
    """Take one connection, wait for a question, answer, hang up."""
    peer, _ = server.accept()
    with peer:
        peer.recv(1000)
        peer.sendall(words)


@pytest.mark.parametrize("url", ["redis://:p4ssw0rd@host:port/0", "redis://:p4ssw0rd@[::1/0", "unix:relative?p4ssw0rd",
                                 "unix:///x?unknown=p4ssw0rd", "unix:///x?socket_timeout=p4ssw0rd"])
def test_a_url_that_makes_no_sense(url: str) -> None:
    """A password does not come into the log."""
    why = failure(RedisStore(url))

    assert why.startswith(("store: ", "control/store: "))
    assert "p4ssw0rd" not in why


def test_a_password() -> None:
    with server("--requirepass", "p4ssw0rd") as (_, url):
        good, bad = url.replace("//", "//:p4ssw0rd@"), url.replace("//", "//:wr0ng@")
        complete(RedisStore(good).put(b"a", b"1", 60))

        assert complete(RedisStore(good).get(b"a")) == b"1"
        for other in (bad, url):
            why = failure(RedisStore(other))
            assert why.startswith("store: ")
            assert "p4ssw0rd" not in why
            assert "wr0ng" not in why


def test_options_that_change_what_is_answered() -> None:
    """decode_responses: every triplet would be new, for ever."""
    with server() as (_, url):
        complete(RedisStore(url).put(b"a", b"1", 60))
        complete(RedisStore(url).count(b"a", 1, 60))
        store = RedisStore(f"{url}?decode_responses=1")
        assert "options make no sense" in failure(store)
        with pytest.raises(LookupFailedError):
            complete(RedisStore(f"{url}?decode_responses=1").count(b"a", 1, 60))


def test_a_full_server() -> None:
    """A110: its own maxmemory: unknown when it refuses to write, and reading goes on."""
    with server() as (_, url):
        store = RedisStore(url)
        complete(store.put(b"a", b"1", 60))
        cli(url, "CONFIG", "SET", "maxmemory", "1000")
        with pytest.raises(LookupFailedError, match="maxmemory"):
            complete(store.put(b"b", b"1", 60))
        assert complete(RedisStore(url).get(b"a")) == b"1"


def test_triplets_go_first_when_the_policy_is_by_lifetime() -> None:
    """A110: with maxmemory-policy volatile-ttl, as docs/store.md has it, a flood pushes out itself."""
    with server("--maxmemory", "4mb", "--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "20") as (_, url):
        store = RedisStore(url)
        for i in range(200):
            complete(store.put(b"confirmed%d" % i, b"1", 35 * 86400))
        for i in range(40_000):
            complete(store.put(b"?flood%d" % i, b"1", 2 * 86400))

        assert int(cli(url, "DBSIZE")) < 39_000
        assert all(complete(store.get(b"confirmed%d" % i)) == b"1" for i in range(200))


def test_everything_has_our_prefix_and_an_end() -> None:
    """So that others can use the same server, and nothing stays for ever."""
    with server() as (_, url):
        store = RedisStore(url)
        complete(store.put(b"a", b"1", 1e12))
        complete(store.count(b"a", 1, 60))
        complete(store.claim(b"a", 60))
        keys = cli(url, "KEYS", "*").split()

        assert sorted(keys) == ["frontline:c:a", "frontline:n:a", "frontline:v:a"]
        assert all(0 < int(cli(url, "TTL", key)) <= 200 * 86400 for key in keys)
