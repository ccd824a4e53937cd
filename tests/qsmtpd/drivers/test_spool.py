"""A message in memory or in a file: the same bytes come out, nothing stays."""

import errno
import os
import posix
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.drivers import spool
from qsmtpd.drivers.spool import MEMORY_MAX, Spool, SpoolError
from tests.budgets import budget
from tests.byhand import by_hand


def full_disk(buffering: int) -> Callable[..., IO[bytes]]:
    def make(**_: object) -> IO[bytes]:
        return open("/dev/full", "r+b", buffering=buffering)

    return make


async def through(pieces: list[bytes], directory: str | None = None) -> bytes:
    kept = Spool(budget(), directory)
    for piece in pieces:
        await kept.add(piece)
    text = b""
    while piece := await kept.take():
        text += piece
    assert await kept.take() == b""
    kept.close()
    return text


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.binary(min_size=0, max_size=3), st.sampled_from([0, 1, 1000, 70_000, 200_000]))))
def test_what_goes_in_comes_out(shapes: list[tuple[bytes, int]]) -> None:
    pieces = [some * times for some, times in shapes]

    assert by_hand(lambda: through(pieces)) == b"".join(pieces)


@pytest.mark.parametrize("size", [MEMORY_MAX - 1, MEMORY_MAX, MEMORY_MAX + 1, 3 * MEMORY_MAX])
def test_around_the_limit(size: int, tmp_path: Path) -> None:
    """With one byte more the file is there, without a name; afterwards it is gone."""
    before = set(os.listdir("/proc/self/fd"))
    text = os.urandom(size)

    assert by_hand(lambda: through([text[:1000], text[1000:]], str(tmp_path))) == text
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_only_tmpdir_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: where there is no room, or no directory, nobody looks for another."""
    monkeypatch.setitem(posix.environ, b"TMPDIR", os.fsencode(tmp_path / "gone"))

    with pytest.raises(SpoolError, match="gone"):
        by_hand(lambda: through([b"x" * (MEMORY_MAX + 1)]))


def test_a_large_message_leaves_memory() -> None:
    async def check() -> int:
        kept = Spool(budget())
        for _ in range(100):
            await kept.add(b"x" * 65536)
        held = sum(len(piece) for piece in kept._pieces)
        kept.close()
        return held

    assert by_hand(check) == 0


def test_no_room_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: /dev/full takes nothing."""
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full_disk(0))

    async def check() -> None:
        kept = Spool(budget())
        try:
            await kept.add(b"x" * (MEMORY_MAX + 1))
        finally:
            kept.close()

    with pytest.raises(SpoolError, match=os.strerror(errno.ENOSPC)):
        by_hand(check)


def test_no_room_that_only_the_end_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: what a buffer still held fails at the first read."""
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full_disk(1 << 20))

    async def check() -> None:
        kept = Spool(budget())
        await kept.add(b"x" * (MEMORY_MAX + 1))
        try:
            await kept.take()
        finally:
            kept.close()

    with pytest.raises(SpoolError, match=os.strerror(errno.ENOSPC)):
        by_hand(check)


def test_past_its_share_all_go_to_files() -> None:
    """However small: what they have in memory is bounded, whatever their number."""
    shared = budget(400_000)

    async def check() -> list[int]:
        many, taken = [Spool(shared) for _ in range(50)], []
        for piece in (b"a" * 9000, b"b" * 9000):
            for each in many:
                await each.add(piece)
                taken.append(shared.taken)
        for each in many:
            text = b""
            while piece := await each.take():
                text += piece
            assert text == b"a" * 9000 + b"b" * 9000
            each.close()
        return [max(taken), shared.taken]

    assert by_hand(check) == [99_000, 0]


def test_past_all_of_it_a_message_is_given_up() -> None:
    shared = budget(300_000)

    async def check() -> int:
        first, second = Spool(shared), Spool(shared)
        await first.add(b"x" * 60_000)
        with pytest.raises(MemoryError):
            await second.add(b"x" * 250_000)
        second.close()
        assert shared.taken == 60_000
        assert await first.take() == b"x" * 60_000
        first.close()
        return shared.taken

    assert by_hand(check) == 0
