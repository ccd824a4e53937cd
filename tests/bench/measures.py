"""The ways of measuring: each takes a case once and makes a sample of it, or says why that cannot be trusted."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench import instruments, processes
from tests.bench.case import (
    CONNECT,
    DELIVER,
    DISK,
    FLOOD,
    HANDOFF,
    HARVEST,
    IDLE,
    LISTENER,
    MESSAGE,
    START,
    TCPSERVER,
    Case,
)
from tests.bench.figures import Sample
from tests.bench.home import Site
from tests.bench.instruments import BenchError, Server

MESSAGE_SIZE = 2048
AT_ONCE = {HARVEST: 50, DELIVER: 20, CONNECT: 50, DISK: 50}
"""Sessions at the same time."""
WORKLOAD = {DISK: DELIVER}
BUSY = 0.9
"""Part of its processor that the generator uses when it, not the server, sets the rate."""
WARM = 50
"""Sessions that a server which stays is given before anything is counted."""
FLOODERS, PAUSE_MS, GOOD_AT_ONCE = 50, 50, 100
ENDLESS = 100_000
FLOOD_SECONDS = 0.5
"""What a flood has before the first good mail comes."""


class Extent(NamedTuple):
    """How much is done in a round.

    sessions  of a case
    runs      of a program by itself
    mails     good ones, in a flood
    many      addresses in the larger database
    held      part of the connections of IDLE that are opened
    """

    rounds: int
    sessions: int
    runs: int
    mails: int
    many: int = 1_000_000
    held: float = 1.0


class Serving(NamedTuple):
    """What serves a case.

    living    stays from session to session; None: nothing does
    starting  starts a program for each session, or None
    """

    port: int
    living: Server | None
    starting: Server | None

    def servers(self) -> list[Server]:
        return [each for each in (self.living, self.starting) if each]


@contextmanager
def serve(
        case: Case, site: Site, log: Path, limit: int = instruments.LIMIT,
) -> Iterator[Serving]:
    """The server of a case, for the time of a with statement; BenchError when it does not start, or others did its work."""
    environment = site.environment(case.environment)
    if case.how == HANDOFF:
        environment["QSMTPD_SERVICE"] = str(site.service)
        cold = site.place / "cold"
        warm = instruments.listener([site.bin / "qsmtpd-listen"], limit)
        with (instruments.started(site.place, warm, environment, log) as service,
              instruments.started(site.place, instruments.tcpserver(case.argv, limit), environment, cold) as server):
            yield Serving(server.port, service, server)
        _silent(cold)
    elif case.how == TCPSERVER:
        with instruments.started(site.place, instruments.tcpserver(case.argv, limit), environment, log) as server:
            yield Serving(server.port, None, server)
    else:
        command = instruments.listener(case.argv, limit) if case.how == LISTENER else case.argv
        with instruments.started(site.place, command, environment, log, case.port) as server:
            yield Serving(server.port, server, None)


def measure(case: Case, site: Site, extent: Extent) -> Sample:
    """Run a case once.

    Raises:
        BenchError: it did not do what it was to do.
    """
    log = site.place / "log"
    how: Callable[[Case, Site, Extent, Path], Sample] = {
        DISK: durable, FLOOD: flood, IDLE: idle, MESSAGE: alone, START: alone}.get(case.group, sessions)
    try:
        return how(case, site, extent, log)
    except (BenchError, AssertionError) as error:
        end = log.read_text("utf-8", "replace")[-1000:] if log.exists() else ""
        raise BenchError(f"{case.group}: {case.name}: {error}\nits log ends:\n{end}") from error


def sessions(case: Case, site: Site, extent: Extent, log: Path) -> Sample:
    """So many of them at once; what starts up and what warms up is not counted where the server stays."""
    count, at_once = extent.sessions * case.weight, AT_ONCE[case.group]
    workload = WORKLOAD.get(case.group, case.group)
    refusal = ("-r", str(case.refusal))
    cpu, warm, seen = 0.0, 0, None
    with serve(case, site, log) as serving:
        if serving.living:
            warm = WARM
            instruments.load(site.place, workload, serving.living.port, warm, min(warm, at_once), *refusal)
            before = processes.at_rest(serving.living.pid)
        if case.source:
            instruments.smtp_source(serving.port, count, at_once, MESSAGE_SIZE)
        else:
            seen = instruments.load(site.place, workload, serving.port, count, at_once, *refusal)
        if serving.living:
            cpu = processes.at_rest(serving.living.pid) - before
    check_log(case, log, count + warm)
    if serving.starting:
        cpu += serving.starting.used["cpu_s"]
    peak = (serving.starting or serving.servers()[0]).used["peak_kib"] / 1024
    if not seen:
        return Sample(count, cpu, peak)
    limited = seen["own_cpu_s"] / seen["seconds"] > BUSY
    return Sample(count, cpu, peak, count / seen["seconds"], seen["p50_ms"], seen["p99_ms"], limited)


def durable(case: Case, site: Site, extent: Extent, log: Path) -> Sample:
    """As sessions(), and the calls that bring something to the disk are counted."""
    counting = instruments.counting(site.place)
    sample = sessions(case._replace(environment={**case.environment, **counting}), site, extent, log)
    return sample._replace(syncs=instruments.counted(site.place) / (sample.count + WARM))


def flood(case: Case, site: Site, extent: Extent, log: Path) -> Sample:
    """Good mail while harvesters, each with the next session when one has ended, keep the server busy.

    The times are the good mail's, from its connection to the end of its session; the rate is the harvesters'.
    """
    refusal = ("-r", str(case.refusal))
    with serve(case, site, log) as serving:
        if serving.living:
            instruments.load(site.place, HARVEST, serving.living.port, WARM, WARM, *refusal)
        with instruments.beside(site.place, HARVEST, serving.port, ENDLESS, FLOODERS, *refusal) as harvest:
            time.sleep(FLOOD_SECONDS)
            good = instruments.load(site.place, DELIVER, serving.port, extent.mails, GOOD_AT_ONCE, "-i", str(PAUSE_MS))
        for server in serving.servers():
            processes.at_rest(server.pid)
    check_log(case, log, extent.mails)
    rate = harvest.result["sessions"] / harvest.result["seconds"]
    return Sample(extent.mails, 0.0, 0.0, rate, good["p50_ms"], good["p99_ms"])


def idle(case: Case, site: Site, extent: Extent, log: Path) -> Sample:
    """Memory of all processes of the server: with the connections, and what came with them."""
    count = max(1, int(case.held * extent.held))
    with serve(case, site, log, count + WARM) as serving:
        for server in serving.servers():
            instruments.load(site.place, CONNECT, server.port, WARM, 1)
        before = _memory(serving)
        with instruments.beside(site.place, "idle", serving.port, count, count):
            full = _memory(serving)
    check_log(case, log, None)
    return Sample(count, 0.0, 0.0, kib=(full - before) / count, mib=full / 1024)


def _memory(serving: Serving) -> int:
    for server in serving.servers():
        processes.at_rest(server.pid)
    return sum(processes.pss_kib(server.pid) for server in serving.servers())


def alone(case: Case, site: Site, extent: Extent, log: Path) -> Sample:
    """A program, again and again, as qmail-smtpd starts its queue program."""
    count = extent.runs * case.weight
    environment = site.environment(case.environment)
    if case.how == HANDOFF:
        return _handed(case, site, count, log, environment)
    used = _queued(case, site, count, log, environment)
    check_log(case, log, count)
    return Sample(count, used["cpu_s"], used["peak_kib"] / 1024, None, used["p50_ms"], used["p99_ms"])


def _queued(case: Case, site: Site, count: int, log: Path, environment: dict[str, str]) -> dict[str, float]:
    return instruments.cost(site.place, case.argv, environment, log, runs=count, queue=(site.message, site.envelope))


def _handed(case: Case, site: Site, count: int, log: Path, environment: dict[str, str]) -> Sample:
    """The same, with the service that does the work; both are counted."""
    environment["QSMTPD_SERVICE"] = str(site.service)
    cold = site.place / "cold"
    with instruments.started(site.place, instruments.listener([site.bin / "qsmtpd-listen"]), environment, log) as service:
        _queued(case, site, WARM, cold, environment)
        before = processes.at_rest(service.pid)
        used = _queued(case, site, count, cold, environment)
        cpu = used["cpu_s"] + processes.at_rest(service.pid) - before
    _silent(cold)
    check_log(case, log, count + WARM)
    return Sample(count, cpu, used["peak_kib"] / 1024, None, used["p50_ms"], used["p99_ms"])


def _silent(cold: Path) -> None:
    """What stands before the service has nothing to say, unless it does the work itself."""
    said = cold.read_text("utf-8", "replace")
    if said:
        raise BenchError(f"the cold program did some of the work, or there was a fault: {said[:500]}")


def check_log(case: Case, log: Path, count: int | None) -> None:
    """Look at what the programs say themselves: so many lines of each kind, None for any number; and nothing of a fault.

    Raises:
        BenchError: it is not so.
    """
    text = log.read_text("utf-8", "replace")
    for mark in case.marks if count is not None else ():
        found = len(re.findall(mark, text, re.MULTILINE))
        if found != count:
            raise BenchError(f"{found} log lines {mark!r} instead of {count}")
    fault = re.search(f".*(?:{case.faults}).*", text, re.MULTILINE)
    if fault:
        raise BenchError(fault[0])
