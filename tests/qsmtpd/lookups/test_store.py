"""Both kinds of store keep to one contract: a real SQLite file, and a real Redis server."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.redisstore import RedisStore
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.lookups.store import LIMIT, PAUSE, SETTINGS, NoStore, Outage, open_store
from qsmtpd.lookups.warmstore import WarmStore
from qsmtpd.rules.atonce import complete
from tests.onloop import Blocking, on_loop
from tests.servers import running

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis server for the tests of this module, on a socket in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="frontline-") as place:
        socket = Path(place, "redis")
        argv = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", place]
        with running(argv, Path(place, "log"), socket.exists):
            yield f"unix://{socket}"


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/state/store.sqlite"
    url: str = request.getfixturevalue("redis_url")
    subprocess.run(["redis-cli", "-s", url.removeprefix("unix://"), "FLUSHALL"], check=True, stdout=subprocess.DEVNULL)
    return url


@pytest.fixture(params=["blocking", "warm"])
def store(request: pytest.FixtureRequest, url: str) -> Iterator[SqliteStore | RedisStore]:
    """As a process of one session has it, then as the listener has it."""
    if request.param == "blocking":
        found = open_store(url.encode(), "/nowhere")
        assert isinstance(found, SqliteStore | RedisStore)
        yield found
        return
    with on_loop() as looping:
        warm = WarmStore(looping.loop, lambda: open_store(url.encode(), "/nowhere"), 1 if url.startswith("sqlite") else 4)
        yield Blocking(looping, warm)  # type: ignore[misc]  # it has the same methods
        warm.close()


AnyStore = SqliteStore | RedisStore


def test_what_was_put_is_there(store: AnyStore) -> None:
    assert complete(store.get(b"a")) is None
    complete(store.put(b"a", b"1", 60))
    complete(store.put(b"b", b"\0\xff\r\n", 60))
    assert complete(store.get(b"a")) == b"1"
    assert complete(store.get(b"b")) == b"\0\xff\r\n"
    complete(store.put(b"a", b"", 60))
    assert complete(store.get(b"a")) == b""


def test_another_session_sees_it(store: AnyStore, url: str) -> None:
    complete(store.put(b"a", b"1", 60))

    assert complete(open_store(url.encode(), "/nowhere").get(b"a")) == b"1"


def test_it_lasts_its_lifetime_and_no_longer(store: AnyStore) -> None:
    complete(store.put(b"short", b"1", 0.2))
    complete(store.put(b"long", b"1", 60))
    complete(store.claim(b"short", 0.2))
    time.sleep(0.3)

    assert complete(store.get(b"short")) is None
    assert complete(store.get(b"long")) == b"1"
    assert complete(store.claim(b"short", 0.2)) is True


def test_a_new_lifetime_counts(store: AnyStore) -> None:
    complete(store.put(b"a", b"1", 0.2))
    complete(store.put(b"a", b"1", 60))
    time.sleep(0.3)

    assert complete(store.get(b"a")) == b"1"


@pytest.mark.parametrize("lifetime", [0, -5, -0.001])
def test_no_lifetime_forgets(store: AnyStore, lifetime: float) -> None:
    complete(store.put(b"a", b"1", 60))
    complete(store.put(b"a", b"2", lifetime))

    assert complete(store.get(b"a")) is None


def test_a_lifetime_without_end_is_a_long_one(store: AnyStore) -> None:
    complete(store.put(b"a", b"1", 1e12))

    assert complete(store.get(b"a")) == b"1"


def test_a_claim_is_for_the_first(store: AnyStore) -> None:
    assert [complete(store.claim(b"a", 60)) for _ in range(3)] == [True, False, False]
    assert complete(store.claim(b"b", 60)) is True


def test_a_count_decays(store: AnyStore) -> None:
    """By the time that has really gone by, on a machine as slow as it may be."""
    began = time.monotonic()
    complete(store.count(b"a", 100, 0.5))
    written = time.monotonic()
    time.sleep(0.5)
    asked = time.monotonic()
    rest = complete(store.count(b"a", 0, 0.5))
    least, most = time.monotonic() - began, asked - written

    assert 100 * 0.5 ** (least / 0.5) <= rest + 1
    assert rest <= 100 * 0.5 ** (most / 0.5) + 1
    assert complete(store.count(b"a", 1, 0.5)) <= rest + 1


def test_a_count_goes_both_ways(store: AnyStore) -> None:
    assert complete(store.count(b"a", 1, 1e9)) == 1
    assert complete(store.count(b"a", 1.5, 1e9)) == pytest.approx(2.5)
    assert complete(store.count(b"a", -5, 1e9)) == pytest.approx(-2.5)
    assert complete(store.count(b"other", 1, 1e9)) == 1


def test_values_counts_and_claims_do_not_meet(store: AnyStore) -> None:
    complete(store.put(b"a", b"1", 60))
    assert complete(store.count(b"a", 3, 60)) == 3
    assert complete(store.claim(b"a", 60)) is True
    assert complete(store.get(b"a")) == b"1"


COUNTER = """
import sys
from qsmtpd.rules.atonce import complete
from qsmtpd.lookups.store import open_store
store = open_store(sys.argv[1].encode(), "/nowhere")
sys.stdin.read()
won = 0
for i in range(100):
    complete(store.count(b"together", 1, 1e12))
    won += complete(store.claim(b"%d" % i, 60))
print(won)
"""


def test_many_at_once(store: AnyStore, url: str) -> None:
    """No addition is lost, and no claim is given twice; the first of them make the file at the same moment."""
    several = [subprocess.Popen([sys.executable, "-c", COUNTER, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
               for _ in range(6)]
    for each in several:
        assert each.stdin is not None
        each.stdin.close()
    won = []
    for each in several:
        assert each.stdout is not None
        won.append(int(each.stdout.read() or -1000))
        each.stdout.close()
        each.wait(60)

    assert sum(won) == 100
    assert complete(store.count(b"together", 0, 1e12)) == pytest.approx(600, abs=0.01)


def test_the_default_is_in_the_home(tmp_path: Path) -> None:
    (tmp_path / "frontline").mkdir(0o700)
    complete(open_store(b"", str(tmp_path)).put(b"a", b"1", 60))

    assert (tmp_path / "frontline/store.sqlite").is_file()
    assert complete(open_store(f"sqlite://{tmp_path}/frontline/store.sqlite".encode(), "/").get(b"a")) == b"1"


@pytest.mark.parametrize("url", [b"mysql://localhost", b"sqlite:", b"store", b"\xff\xff:x"])
def test_a_store_that_we_do_not_know(url: bytes) -> None:
    """A mistake in control/store: unknown, never a refusal."""
    found = open_store(url, "/nowhere")

    assert isinstance(found, NoStore)
    for coroutine in (found.get(b"a"), found.put(b"a", b"", 1), found.count(b"a", 1, 1), found.claim(b"a", 1)):
        with pytest.raises(LookupFailedError, match="control/store: expected sqlite:, redis: or unix:"):
            complete(coroutine)


def test_a_failure_is_remembered_for_a_while() -> None:
    outage = Outage()
    outage.check(1000)
    error = outage.begin(1000, "down")

    assert str(error) == "down"
    for now in (1000, 1000 + PAUSE - 0.1):
        with pytest.raises(LookupFailedError, match="down"):
            outage.check(now)
    outage.check(1000 + PAUSE)
    outage.begin(5000, "down")
    outage.check(1400)  # A141: the clock went back an hour
    outage.check(5001)


def test_settings() -> None:
    assert {setting.name: setting.default for setting in SETTINGS} == {"store": None, "storemax": LIMIT}


def test_a_process_that_is_killed_leaves_the_store_whole(store: AnyStore, url: str) -> None:
    """Kill -9 in the midst of writing; the others go on."""
    with subprocess.Popen([sys.executable, "-c", COUNTER.replace("range(100)", "range(10**9)"), url],
                          cwd=ROOT, stdin=subprocess.DEVNULL) as writer:
        deadline = time.monotonic() + 30
        while complete(store.count(b"together", 0, 1e12)) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
    before = complete(store.count(b"together", 0, 1e12))

    assert complete(store.count(b"together", 1, 1e12)) == pytest.approx(before + 1, abs=0.01)


def test_who_adds_nothing_only_looks(store: AnyStore) -> None:
    """So "frontline explain" can say what a rule would see, and leave no trace."""
    assert complete(store.count(b"a", 0.0, 60.0)) == 0
    complete(store.count(b"a", 3.0, 60.0))

    assert 2.9 < complete(store.count(b"a", 0.0, 60.0)) <= 3
    assert complete(store.count(b"never seen", 0.0, 60.0)) == 0


def test_looking_makes_no_entry(url: str, store: AnyStore) -> None:
    complete(store.count(b"a", 0.0, 60.0))
    complete(store.count(b"b", 1.0, 60.0))

    if url.startswith("sqlite:"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    else:
        done = subprocess.run(["redis-cli", "-s", url.removeprefix("unix://"), "DBSIZE"], capture_output=True, check=True)
        assert done.stdout == b"1\n"
