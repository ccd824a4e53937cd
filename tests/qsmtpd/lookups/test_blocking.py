"""Databases on the disk, our own addresses, and a coroutine that never suspends."""

import os
from collections.abc import Iterator
from pathlib import Path

import cdbx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.blocking import BlockingLookups, own_addresses
from qsmtpd.lookups.warm import Warm
from qsmtpd.qmail.control import Control
from qsmtpd.rules.atonce import complete
from tests.onloop import Blocking, OnLoop, on_loop


class Way:
    """How look-ups are made: in a process of one session, or in the listener."""

    def __init__(self, running: OnLoop | None) -> None:
        self._running = running

    def session(self, control: Path | str, home: Path | str = "/") -> BlockingLookups:
        """The look-ups of a session, of a process that has just begun."""
        words = Control(str(control)), str(home)
        if self._running is None:
            return BlockingLookups(*words, now=0, note=print)
        running = self._running
        warm = running.call(lambda: Warm(*words, lambda ip: (0, 0)))
        running.call(warm.close)
        found = warm.session(note=print, early=None, seed=None, now=0)
        return Blocking(running, found)  # type: ignore[return-value]  # it has the same methods


@pytest.fixture(params=["blocking", "warm"], scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    if request.param == "blocking":
        yield Way(None)
        return
    with on_loop() as running:
        yield Way(running)


def write(path: Path, *keys: bytes) -> None:
    with path.open("wb") as file:
        maker = cdbx.CDB.make(file)
        for key in keys:
            maker.add(key, b"")
        maker.commit()


def test_has_key(tmp_path: Path, way: Way) -> None:
    write(tmp_path / "a.cdb", b"x", b"")
    (tmp_path / "users").mkdir()
    write(tmp_path / "users/b.cdb", b"y")
    lookups = way.session(tmp_path, tmp_path)

    assert lookups.has_key("a.cdb", b"x") is True
    assert lookups.has_key("a.cdb", b"") is True
    assert lookups.has_key("a.cdb", b"z") is False
    assert lookups.has_key("./users/b.cdb", b"y") is True
    assert lookups.has_key(f"./{tmp_path}/a.cdb", b"x") is True
    assert lookups.has_key("none.cdb", b"x") is None


def test_a_whole_domain_of_each_database(tmp_path: Path, way: Way) -> None:
    write(tmp_path / "a.cdb", b"@x.test")
    write(tmp_path / "b.cdb", b"y")
    lookups = way.session(tmp_path)

    for _ in range(2):
        assert lookups.has_domain("a.cdb", b"x.test") is True
        assert lookups.has_domain("b.cdb", b"x.test") is False
        assert lookups.has_domain("none.cdb", b"x.test") is None



def test_a_session_sees_one_state(tmp_path: Path, way: Way) -> None:
    """A144: the database is replaced between two recipients."""
    write(tmp_path / "a.cdb", b"old")
    lookups = way.session(tmp_path)
    lookups.has_key("a.cdb", b"old")
    write(tmp_path / "new", b"new")
    (tmp_path / "new").rename(tmp_path / "a.cdb")

    assert lookups.has_key("a.cdb", b"old") is True


def test_a_database_that_is_cut_off_while_it_is_read(tmp_path: Path, way: Way) -> None:
    """A131: an error, not a SIGBUS; or the answer of before, where a copy is looked into."""
    write(tmp_path / "a.cdb", *[b"%d" % i for i in range(1000)])
    lookups = way.session(tmp_path)
    lookups.has_key("a.cdb", b"1")
    os.truncate(tmp_path / "a.cdb", 100)

    try:
        assert lookups.has_key("a.cdb", b"999") is True
    except LookupFailedError:
        pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("cdb") / "a.cdb"
    write(path, *[b"key%d" % i for i in range(20)])
    return path, path.read_bytes()


@given(damage=st.data())
def test_a_damaged_database_gives_an_answer_or_an_error(damage: st.DataObject, whole: tuple[Path, bytes], way: Way) -> None:
    """A130: bytes changed, or cut off anywhere; never an endless probe, never another exception."""
    path, good = whole
    bad = bytearray(good[:damage.draw(st.integers(0, len(good)))])
    for _ in range(damage.draw(st.integers(0, 5))):
        if bad:
            bad[damage.draw(st.integers(0, len(bad) - 1))] = damage.draw(st.sampled_from([0, 1, 0x7F, 0xFF]))
    path.write_bytes(bad)
    lookups = way.session(path.parent)

    for i in range(20):
        try:
            assert lookups.has_key("a.cdb", b"key%d" % i) in (True, False)
        except LookupFailedError:
            pass


def test_a_file_of_zeros_is_no_database(tmp_path: Path, way: Way) -> None:
    """A130: what a crash may leave would know nobody."""
    (tmp_path / "a.cdb").write_bytes(bytes(4096))

    with pytest.raises(LookupFailedError):
        way.session(tmp_path).has_key("a.cdb", b"x")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_database(make: object, tmp_path: Path, way: Way) -> None:
    assert callable(make)
    make(tmp_path / "a.cdb")

    with pytest.raises(LookupFailedError):
        way.session(tmp_path).has_key("a.cdb", b"x")


def test_own_addresses(way: Way) -> None:
    found = own_addresses()

    assert {b"127.0.0.1", b"0.0.0.0"} <= found
    assert complete(way.session("/").is_own_address(b"127.0.0.1"))
    assert not complete(way.session("/").is_own_address(b"198.51.100.1"))
