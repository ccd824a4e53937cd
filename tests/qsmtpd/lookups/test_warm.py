"""All look-ups of a listener: what a session costs, what is shared, and that nothing blocks the loop."""

import asyncio
import gc
import logging
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cdbx
import pytest

from qsmtpd.drivers.descriptors import reserve
from qsmtpd.drivers.serving import collect_briefly
from qsmtpd.lookups import warm as module
from qsmtpd.lookups.blocking import BlockingLookups
from qsmtpd.lookups.warm import Warm, WarmLookups
from qsmtpd.qmail.control import Control, ControlError
from tests.nameservers import internet
from tests.onloop import OnLoop, on_loop
from tests.servers import free_port
from tests.upstreams import Upstream, polite, upstream

ROOT = Path(__file__).parents[3]

ZONES = {
    "far.test": '@ TXT "v=spf1 include:a.far.test mx -all"\na TXT "v=spf1 ip4:192.0.2.0/24 -all"\nmx A 127.0.0.1\n@ MX 10 mx\n'
                + "".join(f"d{number} MX 10 mx\n" for number in range(10)),
    "2.0.192.in-addr.arpa": "".join(f"{number} PTR host{number}.far.test.\n" for number in range(1, 200)),
}
LISTS = {"dul.test": ("ip4set", ":127.0.0.2:\n192.0.2.0/25\n127.0.0.2\n")}


@pytest.fixture
def running() -> Iterator[OnLoop]:
    with on_loop() as running:
        yield running


Make = Callable[..., Warm]


@pytest.fixture
def make(running: OnLoop, tmp_path: Path) -> Iterator[Make]:
    """A function that makes a Warm of the control directory tmp_path, from what is to be written there."""
    made: list[Warm] = []

    def warm(**files: str) -> Warm:
        for name, text in {"me": "mx.test", **files}.items():
            (tmp_path / name).write_text(f"{text}\n")
        made.append(running.call(lambda: Warm(Control(str(tmp_path)), str(tmp_path), lambda ip: (len(ip), 9))))
        return made[-1]

    yield warm
    for each in made:
        running.call(each.close)


def session(warm: Warm, notes: list[bytes] | None = None, seed: bytes | None = None) -> WarmLookups:
    return warm.session(note=(notes if notes is not None else []).append, early=None, seed=seed, now=7.0)


def test_a_session_is_small(make: Make) -> None:
    """Ten thousand of them are held; until a rule asks something there is one small object."""
    warm = make()
    held = [session(warm)]
    gc.collect()
    tracemalloc.start()
    note = held.append
    held += [warm.session(note=note, early=None, seed=None, now=7.0) for _ in range(1000)]  # type: ignore[arg-type]
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert used / 1000 < 250
    assert held[-1].now == 7.0


def test_parts_of_a_session(make: Make) -> None:
    """One DNS budget, one callout at a time: each session has its own, and keeps it."""
    warm = make()
    one, other = session(warm), session(warm)

    assert one.dns is one.dns
    assert one.dns is not other.dns
    assert one.callouts is one.callouts
    assert one.callouts is not other.callouts
    assert one.store is other.store
    assert one.machine is other.machine


def test_a_note_is_made_once_in_a_session(make: Make) -> None:
    notes: list[bytes] = []
    warm = make()
    for looked in (session(warm, notes), session(warm, notes)):
        for why in (b"a", b"b", b"a"):
            looked.note(why)
    assert notes == [b"a", b"b", b"a", b"b"]


def test_chance_is_that_of_the_cold_program(make: Make, tmp_path: Path) -> None:
    cold = BlockingLookups(Control(str(tmp_path)), "/", now=0, note=print, seed=b"x")
    warm = session(make(), seed=b"x")
    drawn = [session(make()).draw(1) for _ in range(20)]

    assert [warm.draw(line) for line in range(50)] == [cold.draw(line) for line in range(50)]
    assert len(set(drawn)) > 10
    assert all(0 <= number < 100 for number in drawn)


def test_who_is_connected_is_known(make: Make) -> None:
    """The kernel is not asked."""
    assert session(make()).machine.sessions(b"192.0.2.1", b"25") == (9, 9)


def test_a_figure_of_the_machine_is_good_for_a_second(
        make: Make, running: OnLoop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A flood does not read /proc for each of its connections."""
    monkeypatch.setattr(module, "FRESH", 0.3)
    warm = make()
    warm.machine.proc = str(tmp_path)
    figures = []
    for available in (30, 60):
        (tmp_path / "meminfo").write_text(f"MemTotal: 100 kB\nMemAvailable: {available} kB\n")
        figures.append(running.call(lambda: warm.machine.read("memory")))
    time.sleep(0.35)
    figures.append(running.call(lambda: warm.machine.read("memory")))

    assert figures == [30, 30, 60]


@pytest.mark.parametrize(("name", "text"), [
    ("dnscacheip", "localhost"), ("storemax", "many"), ("calloutip", "mx.test"), ("smtproutes", "far.test")])
def test_what_makes_no_sense_is_said_at_the_beginning(make: Make, name: str, text: str) -> None:
    with pytest.raises(ControlError, match=name):
        make(**{name: text})


def test_early_is_the_drivers(make: Make, running: OnLoop) -> None:
    async def early(seconds: float) -> bool:
        await running.pause(seconds)
        return True

    warm = make()
    with_client = warm.session(note=print, early=early, seed=None, now=0)
    assert running.complete(with_client.early(0.01)) is True
    assert running.complete(session(warm).early(50)) is False


def test_programs_see_the_connection(make: Make, running: OnLoop, tmp_path: Path) -> None:
    """What tcp.smtp has set for this client, and not what others have."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\ntest "$TCPREMOTEIP $WORD $MORE" = "192.0.2.1 x y" && test -z "$QMAILQUEUE"\n')
    program.chmod(0o755)
    variables = {b"PATH": b"/bin:/usr/bin", b"TCPREMOTEIP": b"192.0.2.1", b"WORD": b"x", b"QMAILQUEUE": b"/bin/false"}
    warm = make()
    of_client = warm.session(note=print, early=None, seed=None, now=0, environment=lambda: variables)

    assert running.complete(of_client.run(str(program).encode(), {b"MORE": b"y"})) == 0
    assert running.complete(session(warm).run(str(program).encode(), {b"MORE": b"y"})) == 1


def test_our_own_addresses(make: Make, running: OnLoop) -> None:
    looked = session(make())
    assert running.complete(looked.is_own_address(b"127.0.0.1"))
    assert not running.complete(looked.is_own_address(b"198.51.100.1"))


async def everything(looked: WarmLookups, number: int) -> int:
    """Whatever rules may ask, for a session of its own; how many answers were those that they should be."""
    reverse = b"%d.2.0.192" % (number % 100 + 1)
    points = (reverse, b"1.0.0.127", b"2.0.0.127")
    names = [(reverse + b".in-addr.arpa", "PTR"), *[(point + b".dul.test", "A") for point in points]]
    await looked.dns.prefetch(names)
    right = [(await looked.dns.ask(*name) != ()) is (name[0] != b"1.0.0.127.dul.test") for name in names]
    right.append(looked.has_key("validrcptto.cdb", b"user%d" % number) is True)
    right.append(looked.value("validrcptto.cdb", b"user%d" % number) == b"x" * 50)
    right.append(await looked.store.claim(b"?c%d" % number, 60))
    await looked.store.put(b"?k%d" % number, b"1", 60)
    right.append(await looked.store.get(b"?k%d" % number) == b"1")
    right.append(await looked.store.count(b"n", 1, 60) > 0)
    right.append(looked.machine.read("memory") > 0 and looked.machine.read("load") >= 0)
    right.append(await looked.is_own_address(b"127.0.0.1"))
    right.append((await looked.callouts.spf(b"198.51.100.1", b"u%d@far.test" % number, b"h.far.test"))[0] == "fail")
    right.append(await looked.callouts.sender(b"joe@d%d.far.test" % (number % 10)) is True)
    if not number % 10:
        right.append(await looked.run(b"/bin/true", {}) == 0)
    return right.count(False)


def site(path: Path, dns: int, server: Upstream) -> None:
    """A control directory with all that everything() asks."""
    routes = {"me": "mx.test", "dnscacheip": f"127.0.0.1:{dns}", "calloutallow": "127.0.0.1", "calloutdomainrate": "1000"}
    for name, text in {**routes, "calloutrate": "1000", "store": f"sqlite:{path}/state/s.sqlite"}.items():
        (path / name).write_text(f"{text}\n")
    with (path / "validrcptto.cdb").open("wb") as file:
        maker = cdbx.CDB.make(file)
        for number in range(20000):
            maker.add(b"user%d" % number, b"x" * 50)
        maker.commit()


class Reports(logging.Handler):
    """What asyncio says of steps that took more than 10 ms."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.slow: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Executing"):
            self.slow.append(record.getMessage())


@contextmanager
def watched(loop: asyncio.AbstractEventLoop) -> Iterator[list[str]]:
    """The loop's own reports, in its debug mode, for the time of a with statement."""
    reports = Reports()
    logging.getLogger("asyncio").addHandler(reports)
    loop.slow_callback_duration = 0.01
    loop.set_debug(True)
    try:
        yield reports.slow
    finally:
        loop.set_debug(False)
        logging.getLogger("asyncio").removeHandler(reports)


async def flood(place: str, port: int) -> None:
    """As a worker process: 200 sessions that ask everything, side by side.  Says how many were wrong, and what was slow."""
    reserve(2000)
    warm = Warm(Control(place), place, lambda ip: (0, 0))
    warm._callouts.port = port
    wrong = await everything(session(warm), 5000)
    collect_briefly()
    with watched(warm.loop) as slow:
        wrong += sum(await asyncio.gather(*[everything(session(warm), number) for number in range(200)]))
    print(wrong, len(slow))
    print("\n".join(slow), file=sys.stderr)
    warm.close()


FLOOD = """
import asyncio, os, sys
from tests.qsmtpd.lookups.test_warm import flood
if os.getuid() == 0:
    os.nice(-20)  # what else runs on this machine is not what is tested
asyncio.run(flood(sys.argv[1], int(sys.argv[2])))
"""


def test_nothing_blocks_the_loop(tmp_path: Path) -> None:
    """No step is longer than 10 ms, by asyncio's own report, which goes by the clock on the wall.

    Whatever else runs on this machine may hold up a step of one run, but hardly one in each of five.
    """
    said = []
    with internet(ZONES, LISTS) as dns, upstream(polite()) as server:
        for attempt in range(5):
            place = tmp_path / str(attempt)
            place.mkdir()
            site(place, dns, server)
            argv = [sys.executable, "-c", FLOOD, str(place), str(server.port)]
            done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
            wrong, slow = done.stdout.split()
            assert wrong == "0", done.stderr
            said.append(done.stderr)
            if slow == "0":
                return
    raise AssertionError("\n--\n".join(said))


def test_the_report_would_come() -> None:
    """The instrument itself: what blocks for 20 ms is told."""
    async def main() -> list[str]:
        with watched(asyncio.get_running_loop()) as slow:
            asyncio.get_running_loop().call_soon(time.sleep, 0.02)
            await asyncio.sleep(0.05)
        return slow

    assert len(asyncio.run(main())) == 1


def test_everything_fails_and_the_loop_goes_on(make: Make, running: OnLoop, tmp_path: Path) -> None:
    """No DNS, no store: an answer "unknown" in time for each, and none of them waits for the others."""
    warm = make(dnscacheip=f"127.0.0.1:{free_port()}", dnstimeout="1", store=f"redis://127.0.0.1:{free_port()}/0")
    looked = session(warm)
    begin = time.monotonic()
    for coroutine in (looked.dns.ask(b"a.test", "A"), looked.store.get(b"a"), looked.callouts.sender(b"a@far.test"),
                      looked.callouts.spf(b"192.0.2.1", b"a@far.test", b"h"), looked.run(b"/nonexistent", {})):
        with pytest.raises(module.LookupFailedError):
            running.complete(coroutine)
    assert time.monotonic() - begin < 5
