"""What is in the spool, as a person sees it: finding messages by their names, and tables and texts about them."""

from collections.abc import Iterator
from typing import NamedTuple

from . import schedule
from .escape import escape, escape_lines
from .heldfile import DONE, FAILED, TO_DO, HeldFile, OddError
from .layout import arrival
from .names import Held
from .store import Store

INCOMING, HOLD, DEAD = "new", "hold", "dead"


class Place(NamedTuple):
    """A message and where it is.

    state  INCOMING, HOLD or DEAD
    held   its name; for INCOMING as it will be
    path   of its file
    """

    state: str
    held: Held
    path: str


def places(store: Store) -> list[Place]:
    """All messages, in the order of arrival."""
    found = [Place(INCOMING, Held(identity), f"{store.spool.incoming}/{identity}") for identity in store.arrivals()[0]]
    found += [Place(HOLD, held, store.path(held)) for held in store.held()[0]]
    found += [Place(DEAD, held, store.path(held, dead=True)) for held in store.buried()[0]]
    return sorted(found, key=lambda place: place.held.identity)


def find(store: Store, word: str) -> list[Place]:
    """The messages whose ID is the word, or begins or ends with it; six characters at least."""
    if len(word) < 6:
        return []
    return [place for place in places(store) if place.held.identity.startswith(word) or place.held.identity.endswith(word)]


def table(store: Store, now: float) -> Iterator[str]:
    """The lines of "holdq list", the heading first; none when nothing is there."""
    rows = [row for place in places(store) if (row := _row(store, place, now))]
    if not rows:
        return
    rows.insert(0, ("ID", "STATE", "AGE", "SIZE", "TRIES", "NEXT", "FROM", "TO", "LAST REASON"))
    widths = [max(len(row[column]) for row in rows) for column in range(8)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[8]]).rstrip()


def _row(store: Store, place: Place, now: float) -> tuple[str, ...] | None:
    held = place.held
    try:
        with HeldFile(place.path, lock=False) as file:
            first = next(file.recipients()).address
            others = file.trailer.recipients - 1
            return (held.identity, place.state, span(now - held.arrival), size(file.trailer.message), str(held.attempts),
                    next_try(place, now), f"<{_cut(escape(file.sender))}>",
                    _cut(escape(first)) + (f" +{others}" if others else ""), last_reason(store, held))
    except FileNotFoundError:
        return None  # delivered while we looked
    except (OddError, StopIteration, PermissionError) as error:
        what = "not readable for us" if isinstance(error, PermissionError) else f"odd: {error}"
        return (held.identity, place.state, span(now - held.arrival), "-", str(held.attempts), "-", "-", "-", what)


def next_try(place: Place, now: float) -> str:
    """"now", "in 5m", "-" for one that is dead, "trying" for one in an attempt."""
    held = place.held
    if place.state == DEAD:
        return "-"
    if held.crashes:
        return "trying"
    if held.released:
        return "released"
    wait = schedule.due(held, now) - now
    return f"in {span(wait)}" if wait > 0 else "now"


def last_reason(store: Store, held: Held) -> str:
    """The last line of the reasons."""
    lines = store.why(held.identity).rstrip("\n").split("\n")
    return escape(lines[-1].encode("ascii", "backslashreplace"))


def description(store: Store, place: Place, now: float) -> Iterator[str]:
    """What "holdq show" says before the header."""
    held = place.held
    with HeldFile(place.path, lock=False) as file:
        trailer = file.trailer
        yield f"id          {held.identity}"
        yield f"state       {place.state}, next try: {next_try(place, now)}"
        yield f"tries       {held.attempts}"
        yield f"arrived     {span(now - held.arrival)} ago, taken by process {trailer.pid} from uid {trailer.uid}"
        yield f"size        {trailer.message}"
        yield f"from        <{escape(file.sender)}>"
        words = {TO_DO: "waiting", DONE: "delivered", FAILED: "failed"}
        for recipient in file.recipients():
            yield f"{words.get(recipient.mark, 'odd'):<12}{escape(recipient.address)}"
    for line in store.why(held.identity).split("\n"):
        if line:
            yield f"reason      {escape(line.encode('ascii', 'backslashreplace'))}"


def header(place: Place, *, escaped: bool) -> bytes:
    """The message's header, escaped for a terminal or as it is."""
    with HeldFile(place.path, lock=False) as file:
        text = file.header()
    return escape_lines(text).encode() if escaped else text


def statistics(store: Store, now: float) -> Iterator[str]:
    """What "holdq stat" says of the messages."""
    found = places(store)
    for state in (INCOMING, HOLD, DEAD):
        there = [place for place in found if place.state == state]
        oldest = min((arrival(place.held.identity) for place in there), default=None)
        age = "" if oldest is None else f"  oldest {span(now - oldest)}"
        yield f"{state:<8}{len(there):>8} messages  {size(sum(_bytes(place) for place in there)):>7}{age}"
    waiting = [place.held for place in found if place.state != DEAD]
    due = sum(1 for held in waiting if schedule.due(held, now) <= now)
    yield f"due     {due:>8}"
    yield f"odd     {store.odd():>8}"


def _bytes(place: Place) -> int:
    try:
        with HeldFile(place.path, lock=False) as file:
            return file.trailer.message
    except (FileNotFoundError, PermissionError, OddError):
        return 0


def span(seconds: float) -> str:
    """A time as people say it: 59s, 12m, 7h, 3d."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= 2 * length or whole == length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def size(count: int) -> str:
    """A number of bytes as people say it: 512, 12K, 3M."""
    for unit, length in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if count >= length:
            return f"{count / length:.1f}{unit}" if count < 10 * length else f"{count // length}{unit}"
    return str(count)


def _cut(text: str, width: int = 40) -> str:
    return text if len(text) <= width else f"{text[:width - 1]}~"
