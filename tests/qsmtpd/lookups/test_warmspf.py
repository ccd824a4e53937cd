"""SPF in turns: the same results as at once, and nobody in the way of others.  The results themselves are in test_spf.py."""

import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups.spf import evaluate
from qsmtpd.lookups.warmspf import evaluate as evaluate_warm
from tests.onloop import OnLoop, on_loop, together

BIG = {
    b"big.test": b"v=spf1 include:a.test include:b.test a:a.test exists:%{l}.e.test ptr -all exp=why.test",
    b"a.test": b"v=spf1 ip4:203.0.113.0/24 ~all", b"b.test": b"v=spf1 include:a.test redirect=a.test",
    b"why.test": b"not %{i}"}


class Dns:
    """A DNS of TXT records on the loop.

    slow   a domain whose answers take seconds
    asked  what was asked for, in this order
    """

    def __init__(self, running: OnLoop, slow: bytes = b"none.test") -> None:
        self._running = running
        self._slow = slow
        self.asked: list[tuple[bytes, str]] = []

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        self.asked.append((name, kind))
        await self._running.pause(2.0 if name.endswith(self._slow) else 0)
        if (name, kind) == (b"a.test", "A"):
            return (b"198.51.100.1",)
        return (BIG[name],) if kind == "TXT" and name in BIG else ()

    async def prefetch(self, questions: Sequence[tuple[bytes, str]]) -> None: ...

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return False

    def clear(self, zone: bytes) -> None: ...


@pytest.fixture(scope="module")
def running() -> Iterator[OnLoop]:
    with on_loop() as running:
        yield running


def test_each_question_is_asked_once(running: OnLoop) -> None:
    dns = Dns(running)
    result = running.complete(evaluate_warm(b"192.0.2.1", b"joe@big.test", b"h.test", b"me", dns))

    assert result == ("fail", b"not 192.0.2.1")
    assert len(dns.asked) == len(set(dns.asked))
    assert (b"joe.e.test", "A") in dns.asked


def test_slow_name_servers_hold_up_nobody_else(running: OnLoop) -> None:
    """A96: many sessions with senders of a domain that answers late; a good one among them has its result at once."""
    slow = Dns(running, slow=b"a.test")
    begin = time.monotonic()
    ends: list[float] = []

    async def good() -> tuple[str, bytes]:
        result = await evaluate_warm(b"203.0.113.1", b"joe@b.test", b"h.test", b"me", Dns(running))
        ends.append(time.monotonic() - begin)
        return result

    several = [evaluate_warm(b"192.0.2.1", b"joe@a.test", b"h.test", b"me", slow) for _ in range(50)]
    results = together([*several, good()], running)

    assert results[-1] == ("pass", b"")
    assert ends[0] < 1.5
    assert results[:-1] == [("softfail", b"")] * len(several)
    assert time.monotonic() - begin < 6


TERMS = st.sampled_from([
    "a", "mx", "ptr", "-all", "include:d.test", "redirect=e.test", "exists:%{ir}.%{v}.d.test", "a:%{p}", "exp=%{d}",
    "exp=x.test", "ip4:192.0.2.0/24", "a/24//64", "%{", "mx:%{o2r.-}.test", "include:broken.test", "ptr:d.test", "v=spf1"])
ANSWERS = st.sampled_from([(), ("192.0.2.1",), ("d.test", "e.test"), ("broken",), ("v=spf1 a -all",), ("v=spf1 ?all", "text")])


@settings(max_examples=150, deadline=None)
@given(st.lists(TERMS, max_size=8), st.lists(ANSWERS, min_size=7, max_size=7))
def test_any_record(running: OnLoop, terms: list[str], answers: list[tuple[str, ...]]) -> None:
    """In turns it comes to the same as at once, failures too: the cold program is the oracle."""
    record = ("v=spf1 " + " ".join(terms)).encode()

    def known(name: bytes, kind: str) -> tuple[bytes, ...]:
        if name == b"joe.test":
            return (record,) if kind == "TXT" else (b"192.0.2.1",) if kind == "A" else ()
        found = answers[sum(name) % len(answers)]
        if found == ("broken",):
            raise LookupFailedError("SERVFAIL")
        return tuple(each.encode() for each in found)

    class Known(Dns):
        async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
            return known(name, kind)

    words = (b"192.0.2.1", b"j@joe.test", b"h.test", b"me")
    try:
        wanted: object = evaluate(*words, known)
    except LookupFailedError as error:
        wanted = str(error)
    try:
        found: object = running.complete(evaluate_warm(*words, Known(running)))
    except LookupFailedError as error:
        found = str(error)
    assert found == wanted
