"""The command line, as tcpserver's getopt takes it."""

import os
import posix
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.drivers.options import Options, UsageError, parse


def options(line: str, inherited: tuple[int, ...] = ()) -> Options:
    found = parse(line.split(), inherited)
    assert found is not None
    return found


def test_the_line_of_a_run_script() -> None:
    """As examples/run and many how-tos have it, options in one word and apart."""
    found = options("-vHR -c 400 -C20 -l mx.example.net -x /etc/tcp/tcp.smtp.cdb -u 201 -g 200 -b 100 0 smtp")

    assert found == Options(
        addresses=(("0.0.0.0", 25),), verbosity=2, host_lookup=False, limit=400, per_address=20, per_net=200, messages=200,
        local_name=b"mx.example.net", rules="/etc/tcp/tcp.smtp.cdb", uid=201, gid=200, backlog=100, workers=found.workers)


def test_what_holds_when_nothing_is_said() -> None:
    found = options("127.0.0.1 2525")

    assert found == Options(addresses=(("127.0.0.1", 2525),), per_net=5000, messages=5000, workers=len(os.sched_getaffinity(0)))
    assert (found.verbosity, found.host_lookup, found.paranoid, found.without_rules) == (1, True, False, False)


def test_of_two_that_contradict_the_last_counts() -> None:
    found = options("-qv -Hh -pP -oO -c1 -c2 0 25")

    assert (found.verbosity, found.host_lookup, found.paranoid) == (2, True, False)
    assert (found.keep_ip_options, found.limit) == (False, 2)


def test_all_that_is_ours() -> None:
    found = options("-1X4poq -Bhello --workers 3 --drain=5 --per-net 7 --memory 64 --messages 9 --metrics [::1]:9125 :: 0")

    assert (found.print_port, found.without_rules, found.only_ipv4, found.paranoid, found.keep_ip_options) == (True,) * 5
    assert (found.verbosity, found.banner, found.workers, found.drain, found.per_net) == (0, b"hello", 3, 5.0, 7)
    assert (found.memory, found.messages) == (64, 9)
    assert (found.metrics, found.addresses) == (("::1", 9125), (("::", 0),))


def test_several_addresses() -> None:
    assert options("0 25 :: 25 mx.example.net submission").addresses == (
        ("0.0.0.0", 25), ("::", 25), ("mx.example.net", socket.getservbyname("submission", "tcp")))


def test_the_options_end_where_tcpservers_do() -> None:
    assert options("-v -- 0 25").addresses == (("0.0.0.0", 25),)
    with pytest.raises(UsageError, match="-v: expected another address and port"):
        parse(["0", "25", "-v"])


def test_sockets_that_were_passed_on() -> None:
    """One process, unless somebody wants more: they would take from one socket, and each would count for itself."""
    found = options("fd:3 0 25 fd:0", (5,))

    assert (found.inherited, found.addresses, found.workers) == ((5, 3, 0), (("0.0.0.0", 25),), 1)
    assert options("--workers 2", (3,)).workers == 2


def test_what_has_no_meaning_here_is_said_once() -> None:
    found = options("-drri -t 5 -6 -I eth0 -DRO 0 25")

    assert [remark.partition(":")[0] for remark in found.remarks] == ["-d", "-r", "-i", "-t", "-6", "-I"]
    assert options("-DRO 0 25").remarks == ()


@pytest.mark.parametrize(("line", "expected"), [
    ("", "usage: qsmtpd-listen"),
    ("-v", "usage: qsmtpd-listen"),
    ("-Z 0 25", "option -Z not recognized; usage: "),
    ("-c", "option -c requires argument; usage: "),
    ("--worker", "option --workers requires argument; usage: "),
    ("0", "0: expected an address, and a port"),
    ("0 nosuchservice", "0 nosuchservice: expected an address"),
    ("0 65536", "0 65536: expected an address"),
    ("0 -1", "0 -1: expected an address"),
    ("0 25 /var/qmail/bin/qmail-smtpd", "/var/qmail/bin/qmail-smtpd: expected another address and port, or nothing"),
    ("fd:x", "fd:x: expected fd: and the number"),
    ("-c 0 0 25", "-c 0: expected a number from 1 on"),
    ("-c 40x 0 25", "-c 40x: expected a number"),
    ("-u qmaild 0 25", "-u qmaild: expected a number"),
    ("-g -1 0 25", "-g -1: expected a number"),
    ("--memory 0 0 25", "--memory 0: expected a number from 1 on"),
    ("--messages 1k 0 25", "--messages 1k: expected a number"),
    ("--drain 1.5 0 25", "--drain 1.5: expected a number"),
    ("--metrics 9125 0 25", "--metrics 9125: expected ADDRESS:PORT"),
    ("--metrics localhost:x 0 25", "expected ADDRESS:PORT"),
])
def test_wrong_use_is_one_line(line: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())

    assert str(caught.value).startswith(expected) or expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_to_be_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """-U, what envuidgid(8) sets."""
    monkeypatch.setitem(posix.environ, b"UID", b"201")
    monkeypatch.setitem(posix.environ, b"GID", b"200")

    assert (options("-U 0 25").uid, options("-U 0 25").gid) == (201, 200)
    monkeypatch.setitem(posix.environ, b"GID", b"nofiles")
    with pytest.raises(UsageError, match=r"-U .UID, .GID: expected a number"):
        parse(["-U", "0", "25"])


def test_help() -> None:
    assert parse(["--help"]) is None


odd = st.sampled_from(["-v", "-c", "-x", "--", "0", "25", "smtp", "fd:1", "-", "", "\udcff", "é", "--drain", "9" * 30])


@given(st.lists(odd))
def test_any_words(words: list[str]) -> None:
    """They say where to listen, or that they do not."""
    try:
        found = parse(words)
    except UsageError:
        found = Options(addresses=(("", 0),))

    assert found is not None
    assert found.addresses or found.inherited
