"""The ways of measuring, with the servers themselves, in small counts."""

from pathlib import Path

import pytest

from tests.bench import instruments
from tests.bench.case import CONNECT, DELIVER, DISK, FLOOD, HARVEST, IDLE, MESSAGE, PER_SESSION, SERVER, Case
from tests.bench.cases import cases
from tests.bench.home import Site
from tests.bench.measures import WARM, Extent, check_log, measure, serve
from tests.conftest import let_others_in

SMALL = Extent(rounds=1, sessions=5, runs=1, mails=3, many=2000, held=0.005)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    place = tmp_path_factory.mktemp("bench")
    let_others_in(place)  # Postfix becomes its own user
    instruments.build(place)
    return Site(place, SMALL.many)


@pytest.fixture(scope="module")
def rows(site: Site) -> list[Case]:
    return cases(site, SMALL.many)


def some(rows: list[Case], group: str, *names: str) -> list[Case]:
    """The rows of a group whose names begin so, in the order of the names."""
    return [next(row for row in rows if row.group == group and row.name.startswith(name)) for name in names]


@pytest.mark.parametrize("group", [HARVEST, DELIVER, CONNECT])
@pytest.mark.parametrize("name", ["floor: uvloop", "handoff", "qsmtpd-listen", "mailfront", "aiosmtpd"])
def test_sessions(group: str, name: str, site: Site, rows: list[Case]) -> None:
    row, = some(rows, group, name)
    sample = measure(row, site, SMALL)

    assert sample.count == 5 * row.weight
    assert 0 < sample.cpu_s / sample.count < 0.05
    assert sample.rate
    assert sample.p50_ms
    assert sample.peak_mib > 0.5


def test_messages_that_are_handed_over(site: Site, rows: list[Case]) -> None:
    """What handoff-qqshim takes, and what the service does for it; the memory is that of the program."""
    sample = measure(*some(rows, MESSAGE, "handoff-qqshim"), site, SMALL)

    assert 0.0003 < sample.cpu_s / sample.count < 0.05
    assert sample.peak_mib < 5


@pytest.mark.root
@pytest.mark.parametrize("group", [HARVEST, DELIVER, CONNECT])
def test_postfix(group: str, site: Site, rows: list[Case]) -> None:
    """Its mail is delivered when it is counted."""
    row, = some(rows, group, "Postfix")
    sample = measure(row, site, SMALL)

    assert 0 < sample.cpu_s / sample.count < 0.05
    assert (site.place / "log").read_text().count(" status=sent ") == (sample.count + WARM if group == DELIVER else 0)


def test_syncs_are_counted(site: Site, rows: list[Case]) -> None:
    """Each message is a file, and has to get to the disk; whatever is shared."""
    row, = some(rows, DISK, "qsmtpd-listen")
    sample = measure(row, site, SMALL)

    assert sample.syncs
    assert 1 <= sample.syncs < 3


@pytest.mark.root
def test_syncs_of_postfix_are_counted(site: Site, rows: list[Case]) -> None:
    sample = measure(*some(rows, DISK, "Postfix"), site, SMALL)

    assert sample.syncs
    assert 0.9 < sample.syncs < 3


@pytest.mark.parametrize("name", ["handoff", "qsmtpd-listen"])
def test_good_mail_in_a_flood(name: str, site: Site, rows: list[Case]) -> None:
    row, = some(rows, FLOOD, name)
    sample = measure(row, site, SMALL)

    assert sample.count == 3
    assert sample.p99_ms
    assert sample.rate


@pytest.mark.parametrize(("name", "least", "most"), [
    ("floor: uvloop, Python with fixed replies", -4, 8), ("qsmtpd-listen", 0.5, 40), ("qsmtpd", 500, 9000)])
def test_memory_of_those_who_wait(name: str, least: float, most: float, site: Site, rows: list[Case]) -> None:
    """A process each is megabytes, an object some kilobytes."""
    row = next(row for row in rows if row.group == IDLE and row.name == name)
    sample = measure(row, site, SMALL._replace(held=0.1))

    assert sample.kib is not None
    assert least < sample.kib < most
    assert sample.mib


def test_a_service_that_is_not_there_is_an_error(site: Site, rows: list[Case]) -> None:
    """The cold program would do the work, and its cost would stand in the row of the hand-off."""
    row, = some(rows, CONNECT, "handoff")
    log = site.place / "log"
    with pytest.raises(instruments.BenchError, match="cold"), serve(row, site, log) as serving:  # noqa: PT012  it is its end
        site.service.unlink()
        instruments.load(site.place, "connect", serving.port, 1, 1)


def test_a_wrong_reply_is_an_error_that_names_the_row(site: Site, rows: list[Case]) -> None:
    row, = some(rows, HARVEST, "mailfront")

    with pytest.raises(instruments.BenchError, match="harvest: mailfront"):
        measure(row._replace(refusal=550), site, SMALL)


@pytest.mark.parametrize(("text", "count"), [
    ("session a\nsession b\n", 3), ("session a\nfault x\n", 1), ("session a\ntrouble x\n", 1),
    ("session a\nTraceback (most recent\n", 1)])
def test_the_log_has_the_last_word(text: str, count: int, tmp_path: Path) -> None:
    """A line too few, or one of a fault."""
    log = tmp_path / "log"
    log.write_text(text)

    with pytest.raises(instruments.BenchError):
        check_log(Case(CONNECT, "x", [], marks=(PER_SESSION,)), log, count)


def test_a_server_that_does_not_start_is_an_error(site: Site) -> None:
    with pytest.raises(instruments.BenchError, match="start"):
        measure(Case(CONNECT, "x", ["/bin/false"], how=SERVER), site, SMALL)
