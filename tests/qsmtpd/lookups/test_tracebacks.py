"""What an error that is kept keeps."""

import gc
import weakref

import pytest

from qsmtpd.lookups.tracebacks import forget_tracebacks


class Held:
    """Something that a frame has in a variable."""


def failing(seen: "list[weakref.ref[Held]]") -> None:
    """Fails because of something that failed, and each frame keeps its error."""
    held = Held()
    seen.append(weakref.ref(held))
    try:
        try:
            raise OSError("first")
        except OSError as error:
            first = error
            raise ValueError("second") from first
    except ValueError as error:
        second = error
        raise LookupError("third") from second


@pytest.mark.parametrize("forget", [True, False])
def test_nothing_is_held_by_an_error(forget: bool) -> None:
    """A130; without it, it is held: so long as this is so, there is a need for it."""
    seen: list[weakref.ref[Held]] = []
    gc.collect()
    gc.disable()
    try:
        try:
            failing(seen)
        except LookupError as error:
            if forget:
                forget_tracebacks(error)
        assert (seen[0]() is None) == forget
    finally:
        gc.enable()


def test_what_it_says_stays() -> None:
    with pytest.raises(LookupError) as caught:
        failing([])

    forget_tracebacks(caught.value)

    assert [str(caught.value), str(caught.value.__cause__), str(caught.value.__cause__.__cause__)] == [  # type: ignore[union-attr]
        "third", "second", "first"]
