"""The SQLite store: against a dictionary, with a clock that goes where it likes, full, damaged, locked, planted, and cold."""

import ctypes
import gc
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.sqlitestore import SqliteStore
from qsmtpd.lookups.store import HALFLIVES, LONGEST
from qsmtpd.rules.atonce import complete

ROOT = Path(__file__).parents[3]

HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
NOW = 1_800_000_000.0

KEYS = st.sampled_from([b"a", b"b", b"?a", b"!a", b"\0", b""])
LIFETIMES = st.sampled_from([-1.0, 0.0, 1.0, 60.0, 2.0 * DAY, 35.0 * DAY, 1e12])


class Clock:
    """The time that a test says it is."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Model(RuleBasedStateMachine):
    """The same questions to the store and to a dictionary of (when written, until when, what)."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory(prefix="frontline-")
        self.clock = Clock()
        self.entries: dict[tuple[str, bytes], tuple[float, float, object]] = {}

    @initialize()
    def opens(self) -> None:
        self.store = SqliteStore(f"{self.place.name}/store.sqlite", clock=self.clock)

    def teardown(self) -> None:
        self.store.close()
        self.place.cleanup()

    def live(self, kind: str, key: bytes) -> object:
        at, until, value = self.entries.get((kind, key), (0.0, 0.0, None))
        return value if at - (until - at) <= self.clock.now < until else None

    def remember(self, kind: str, key: bytes, lifetime: float, value: object) -> None:
        self.entries[kind, key] = (self.clock.now, self.clock.now + min(lifetime, LONGEST), value)

    @rule(seconds=st.sampled_from([0.5, 1.0, 59.0, 60.0, HOUR, DAY, 40 * DAY, 10 * YEAR]), back=st.booleans())
    def time_passes(self, seconds: float, back: bool) -> None:
        self.clock.now += -seconds if back else seconds

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        assert complete(self.store.get(key)) == self.live("value", key)

    @rule(key=KEYS, value=st.binary(max_size=8), lifetime=LIFETIMES)
    def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        complete(self.store.put(key, value, lifetime))
        self.remember("value", key, lifetime, value)

    @rule(key=KEYS, lifetime=LIFETIMES)
    def claim(self, key: bytes, lifetime: float) -> None:
        free = self.live("claim", key) is None
        assert complete(self.store.claim(key, lifetime)) is free
        if free:
            self.remember("claim", key, lifetime, True)

    @rule(key=KEYS, amount=st.integers(-3, 9), halflife=st.sampled_from([1.0, 60.0, DAY]))
    def count(self, key: bytes, amount: int, halflife: float) -> None:
        old = self.live("count", key)
        number = float(amount)
        if isinstance(old, float):
            number += old * 0.5 ** (max(self.clock.now - self.entries["count", key][0], 0) / halflife)
        assert complete(self.store.count(key, amount, halflife)) == pytest.approx(number)
        self.remember("count", key, HALFLIVES * halflife, number)

    @rule()
    def another_process(self) -> None:
        self.store = SqliteStore(self.store.path, clock=self.clock)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/store.sqlite"


def rows(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        found: int = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
    connection.close()
    return found


def test_a_flood_does_not_push_out_what_is_worth_more(path: Path, clock: Clock) -> None:
    """A110: 20,000 triplets that never come back, where 500 entries have room: the confirmed and the known good stay."""
    store = SqliteStore(str(path), 500, clock)
    for i in range(200):
        complete(store.put(b"confirmed%d" % i, b"", 35 * DAY))
        complete(store.put(b"!good%d" % i, b"", 35 * DAY))
    for i in range(20_000):
        clock.now += 0.01
        complete(store.put(b"?flood%d" % i, b"", 2 * DAY))

    assert rows(path) == 500
    assert all(complete(store.get(b"confirmed%d" % i)) == b"" for i in range(200))
    assert all(complete(store.get(b"!good%d" % i)) == b"" for i in range(200))
    assert [i for i in range(20_000) if complete(store.get(b"?flood%d" % i)) is not None] == list(range(19_900, 20_000))


def test_a_full_store_has_room_for_newcomers(path: Path, clock: Clock) -> None:
    """Else it would greylist every new sender for ever."""
    store = SqliteStore(str(path), 80, clock)
    for i in range(100):
        clock.now += 1
        complete(store.put(b"confirmed%d" % i, b"", 35 * DAY))
    complete(store.put(b"?new", b"1", 2 * DAY))
    for i in range(9):
        clock.now += 1
        complete(store.put(b"?newer%d" % i, b"1", 2 * DAY))

    assert complete(store.get(b"?new")) == b"1"
    assert complete(store.get(b"confirmed99")) == b""
    assert complete(store.get(b"confirmed29")) is None
    assert rows(path) == 80


def test_a_smaller_limit_is_reached_step_by_step(path: Path, clock: Clock) -> None:
    store = SqliteStore(str(path), 1000, clock)
    for i in range(1000):
        complete(store.put(b"%d" % i, b"", DAY))
    smaller = SqliteStore(str(path), 100, clock)
    complete(smaller.put(b"0", b"", DAY))
    assert rows(path) == 992
    for i in range(200):
        complete(smaller.put(b"%d" % (i % 3), b"", DAY))

    assert rows(path) == 100


def test_what_has_expired_goes_in_passing(path: Path, clock: Clock) -> None:
    store = SqliteStore(str(path), clock=clock)
    for i in range(100):
        complete(store.put(b"%d" % i, b"", 60))
    clock.now += 61
    for _ in range(25):
        complete(store.put(b"one", b"", 60))

    assert rows(path) == 1


def test_a_clock_that_was_far_ahead(path: Path, clock: Clock) -> None:
    """A141: ten years forward and back again: what was written then is not believed, and all the rest is still there."""
    store = SqliteStore(str(path), clock=clock)
    for i in range(50):
        complete(store.put(b"before%d" % i, b"", DAY))
    clock.now += 10 * YEAR
    assert complete(store.get(b"before0")) is None
    for _ in range(30):
        complete(store.put(b"then", b"", DAY))
        complete(store.claim(b"then", DAY))
        complete(store.count(b"then", 5, DAY))
    clock.now -= 10 * YEAR

    assert complete(store.get(b"then")) is None
    assert complete(store.claim(b"then", DAY)) is True
    assert complete(store.count(b"then", 1, DAY)) == 1
    assert all(complete(store.get(b"before%d" % i)) is not None for i in range(50))


@pytest.mark.parametrize("jump", [10 * YEAR, -50 * YEAR])
def test_what_another_clock_has_written_goes_when_room_is_needed(path: Path, clock: Clock, jump: float) -> None:
    """A141: also 1970 at boot: the first to go, and not one by one only because the clock is wrong."""
    store = SqliteStore(str(path), 100, clock)
    clock.now += jump
    for i in range(60):
        complete(store.put(b"then%d" % i, b"", DAY))
    clock.now -= jump
    for i in range(100):
        clock.now += 1
        complete(store.put(b"now%d" % i, b"", DAY))

    assert rows(path) == 100
    assert all(complete(store.get(b"now%d" % i)) is not None for i in range(100))


def test_a_clock_that_goes_back_an_hour(path: Path, clock: Clock) -> None:
    """A141: nothing that lives longer than that is forgotten, and a count does not grow."""
    store = SqliteStore(str(path), clock=clock)
    complete(store.put(b"a", b"1", 2 * HOUR))
    complete(store.count(b"a", 8, 2 * HOUR))
    clock.now -= HOUR

    assert complete(store.get(b"a")) == b"1"
    assert complete(store.count(b"a", 0, 2 * HOUR)) == 8


@pytest.mark.parametrize("now", [0.0, 5.0, 2.0**31 + 5, 2.0**33])
def test_any_time_will_do(path: Path, now: float) -> None:
    """A141: 1970 at boot, and after 2038."""
    store = SqliteStore(str(path), clock=lambda: now)
    complete(store.put(b"a", b"1", DAY))

    assert complete(store.get(b"a")) == b"1"
    assert complete(store.claim(b"a", DAY)) is True
    assert complete(store.claim(b"a", DAY)) is False


def failure(path: Path) -> str:
    """How the store says that it cannot be used, the same for each question."""
    store = SqliteStore(str(path))
    with pytest.raises(LookupFailedError) as first:
        complete(store.get(b"a"))
    for coroutine in (store.put(b"a", b"", 1), store.count(b"a", 1, 1), store.claim(b"a", 1)):
        with pytest.raises(LookupFailedError) as other:
            complete(coroutine)
        assert str(other.value) == str(first.value)
    return str(first.value)


def filled(path: Path) -> Path:
    store = SqliteStore(str(path))
    for i in range(2000):
        complete(store.put(b"%d" % i, b"x" * 50, DAY))
    store.close()
    return path


@pytest.mark.parametrize(("mode", "directory", "why"), [
    (0o660, 0o700, "it can be written by others: mode 660"), (0o606, 0o700, "it can be written by others"),
    (0o600, 0o777, "its directory can be written by others"), (0o600, 0o1770, "its directory can be written by others"),
])
def test_who_may_write_it(path: Path, mode: int, directory: int, why: str) -> None:
    """A133: what others can write, others can fill with known good addresses."""
    filled(path).chmod(mode)
    path.parent.chmod(directory)

    assert why in failure(path)


def test_a_planted_file(path: Path, tmp_path: Path) -> None:
    """A132: a symlink, a directory, a FIFO, a second name."""
    other = filled(tmp_path / "other/store.sqlite")
    path.parent.mkdir(0o700)
    path.symlink_to(other)
    assert "it is not a file" in failure(path)
    path.unlink()
    path.symlink_to("nowhere")
    assert "it is not a file" in failure(path)
    path.unlink()
    path.mkdir()
    assert "it is not a file" in failure(path)
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert "it is not a file" in failure(path)
    path.unlink()
    path.hardlink_to(other)
    assert "it has 2 names" in failure(path)


@pytest.mark.root
def test_somebody_elses_file(path: Path) -> None:
    """A133: a store that another user made is not believed; and root, who looks, leaves it usable."""
    os.chmod(path.parents[1], 0o755)
    path.parent.mkdir(0o755)
    script = f"""
import os, sys
os.setgid(65534); os.setuid(int(sys.argv[1]))
from qsmtpd.rules.atonce import complete
from qsmtpd.lookups.sqlitestore import SqliteStore
complete(SqliteStore({str(path)!r}).put(b"a", b"1", 60))
"""
    for parent in path.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.chown(path.parent, 65534, 65534)

    def runs(uid: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", script, str(uid)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert runs(65534).returncode == 0, runs(65534).stderr
    assert "its directory belongs to uid 65534" in runs(65533).stderr
    assert complete(SqliteStore(str(path)).get(b"a")) == b"1"
    assert {each.stat().st_uid for each in path.parent.iterdir()} == {65534}
    assert runs(65534).returncode == 0


def test_modes(path: Path) -> None:
    """Under umask 0 too nobody else can read who writes to whom."""
    old = os.umask(0)
    try:
        complete(SqliteStore(str(path)).put(b"a", b"1", 60))
    finally:
        os.umask(old)

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("place", [0, 18, 100, 4096, 4096 * 3 + 5])
def test_a_damaged_file(path: Path, place: int) -> None:
    """Unknown, with SQLite's word for it; it stays where it is, for who else has it open would go on with the moved one."""
    size = filled(path).stat().st_size
    with path.open("r+b") as file:
        for at in range(place, size, 4096):
            file.seek(at)
            file.write(b"\xff\xfe\xfd" * 20)
    found = []
    for i in range(50):
        try:
            complete(SqliteStore(str(path)).put(b"%d" % i, b"", 60))
        except LookupFailedError as error:
            found.append(str(error))

    assert found
    assert all(why.startswith(f"store {path}: ") for why in found)


def test_other_files(path: Path) -> None:
    path.parent.mkdir(0o700)
    path.write_bytes(b"no database at all\n" * 1000)
    path.chmod(0o600)
    assert "file is not a database" in failure(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 77")
    connection.close()
    path.chmod(0o600)
    assert "its layout is number 77" in failure(path)


ALL_AT_ONCE = """
import os, sys, time
from qsmtpd.rules.atonce import complete
from qsmtpd.lookups.sqlitestore import SqliteStore
for i in range(20):
    start, children = time.monotonic() + 0.02, []
    for j in range(8):
        if not (child := os.fork()):
            while time.monotonic() < start:
                pass
            complete(SqliteStore(f"{sys.argv[1]}/{i}/store.sqlite").put(b"a", b"1", 60))
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
"""


def test_the_first_sessions_of_all(tmp_path: Path) -> None:
    """Eight processes make the file at the same moment, and none is turned away; twenty times over."""
    done = subprocess.run(
        [sys.executable, "-c", ALL_AT_ONCE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    """What a crash between making the file and its tables leaves."""
    path.parent.mkdir(0o700)
    path.touch(0o600)
    complete(SqliteStore(str(path)).put(b"a", b"1", 60))

    assert complete(SqliteStore(str(path)).get(b"a")) == b"1"


def test_an_attempt_that_fails_leaves_nothing(path: Path, clock: Clock) -> None:
    """A130: not the connection with its pages, which an error that its own frame keeps would keep."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    path.chmod(0o600)
    store = SqliteStore(str(path), clock=clock)
    with pytest.raises(LookupFailedError):
        complete(store.get(b"a"))
    gc.collect()
    gc.disable()
    try:
        for ask in (store.get(b"a"), store.claim(b"a", 60), store.count(b"a", 1, 60)):
            clock.now += 100
            try:
                complete(ask)
            except LookupFailedError:
                continue
            raise AssertionError("it is no database")
        assert gc.collect() == 0
    finally:
        gc.enable()


class Allocated(ctypes.Structure):
    """mallinfo2(3)."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"))


def allocated() -> int:
    """Bytes in this process's heap that are in use."""
    malloc = ctypes.CDLL(None)
    malloc.mallinfo2.restype = Allocated
    return int(malloc.mallinfo2().uordblks)


def test_a_large_store_does_not_grow_into_memory(path: Path, clock: Clock) -> None:
    """A process that lives for months, and many of them: each has seen the whole file one day."""
    store = SqliteStore(str(path), 100_000, clock)
    complete(store.put(b"a", b"1", 60))
    before = allocated()
    for number in range(20_000):
        complete(store.put(b"%d" % number, b"1" * 100, 60))
    assert path.stat().st_size > 3 << 20
    assert allocated() - before < 1 << 20
    store.close()


def test_no_directory_for_it() -> None:
    assert "No such file or directory" in failure(Path("/nowhere/at/all/store.sqlite"))


def test_a_full_disk(path: Path) -> None:
    """A137: no room for one page more: unknown, what is there stays, and when there is room it goes on."""
    filled(path)
    store = SqliteStore(str(path))
    complete(store.get(b"a"))
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present number
    big = b"x" * 1_000_000
    with pytest.raises(LookupFailedError, match="full"):
        complete(store.put(b"new", big, 60))
    fresh = SqliteStore(str(path))
    complete(fresh.put(b"after", b"1", 60))

    assert complete(fresh.get(b"1999")) == b"x" * 50
    assert complete(fresh.get(b"after")) == b"1"


def test_a_lock_that_is_not_given_back(path: Path) -> None:
    """One wait of two seconds, then the rest of the session goes on without; reading goes on meanwhile."""
    filled(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store = SqliteStore(str(path))
    assert complete(store.get(b"1")) == b"x" * 50
    start = time.monotonic()
    for _ in range(20):
        with pytest.raises(LookupFailedError, match="locked"):
            complete(store.put(b"a", b"", 60))
    waited = time.monotonic() - start
    holder.execute("ROLLBACK")
    holder.close()

    assert 1.5 < waited < 10
    complete(SqliteStore(str(path)).put(b"a", b"", 60))


def test_a_session_that_only_waits_holds_nothing_up(path: Path) -> None:
    """It has asked, counted and claimed, and then its client is slow: the log can be written back and begins anew."""
    store = SqliteStore(str(filled(path)))
    for i in range(3):
        complete(store.get(b"%d" % i))
        complete(store.get(b"none"))
        complete(store.count(b"a", 1, 60))
        complete(store.claim(b"a", 60))
    other = sqlite3.connect(path, timeout=0)
    busy, pages, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()

    assert (busy, pages) == (0, 0)


COLD = """
import sys
sys.path[:0] = [{root!r}]
before = set(sys.modules)
from qsmtpd.lookups.store import open_store
from qsmtpd.rules.atonce import complete
store = open_store(b"sqlite:" + {path!r}.encode(), "/")
complete(store.get(b"a"))
complete(store.put(b"a", b"1", 60))
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("qsmtpd")))
"""


def test_what_a_cold_session_imports(path: Path) -> None:
    """_sqlite3 and what it needs, without datetime, which sqlite3 brings and which costs as much again."""
    script = COLD.format(root=str(ROOT), path=str(path))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    modules = done.stdout.split()

    assert "_sqlite3" in modules
    assert not {"sqlite3", "datetime", "redis", "re", "enum", "typing", "socket", "threading", "logging"} & set(modules)
