"""The comparison of the last cdb with the new one, in one pass."""

from hypothesis import given
from hypothesis import strategies as st

from tools.validusers.changes import Changes

KEYS = st.frozensets(st.binary(max_size=3))


@given(KEYS, KEYS, KEYS)
def test_merge_is_set_arithmetic(new: frozenset[bytes], old: frozenset[bytes], unsure: frozenset[bytes]) -> None:
    changes = Changes()

    written = list(changes.merge(sorted(new), sorted(old), unsure.__contains__))

    assert written == sorted(new | (old & unsure))
    assert changes.added.count == len(new - old)
    assert changes.removed.count == len(old - new - unsure)
    assert changes.kept.count == len((old - new) & unsure)
    assert (changes.before, changes.after) == (len(old), len(written))


def test_what_loses_most() -> None:
    def change(new: bytes, old: bytes) -> bool:
        changes = Changes()
        list(changes.merge([b"%c" % byte for byte in new], [b"%c" % byte for byte in old], lambda key: False))
        return changes.loses_most()

    assert change(b"", b"")
    assert change(b"", b"a")
    assert change(b"az", b"abcd")
    assert not change(b"ab", b"abcd")
    assert not change(b"a", b"")
    assert not change(b"abcdef", b"abc")
