"""Limits by address and network; a hostile network costs itself, and nobody else."""

import os
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.drivers.admission import Admission, tallies


def test_a_limit_by_address() -> None:
    """A37: what one client may not have, his neighbour may."""
    admission = Admission(10, 2, 0)

    assert [admission.admit(b"192.0.2.1") for _ in range(3)] == ["", "", "address"]
    assert admission.admit(b"192.0.2.2") == ""
    admission.release(b"192.0.2.1")
    assert admission.admit(b"192.0.2.1") == ""


def test_a_limit_by_network() -> None:
    """A37: 10,000 connections from one /24."""
    admission = Admission(10000, 0, 20)
    found = Counter(admission.admit(b"192.0.2.%d" % (number % 256)) for number in range(10000))

    assert found == {"": 20, "netblock": 9980}
    assert admission.admit(b"192.0.3.1") == ""


def test_an_ipv6_client_has_a_64() -> None:
    """A37: all of it counts as one address."""
    admission = Admission(10, 2, 0)

    assert [admission.admit(b"2001:db8:0:7::%x" % number) for number in range(3)] == ["", "", "address"]
    assert admission.admit(b"2001:db8:0:8::1") == ""
    admission.release(b"2001:db8:0:7:ffff::")
    assert admission.admit(b"2001:db8::7:1:2:3:4") == ""


def test_who_comes_by_a_mapped_address_is_the_same() -> None:
    admission = Admission(10, 1, 2)

    assert [admission.admit(ip) for ip in (b"192.0.2.1", b"::ffff:192.0.2.1", b"::ffff:c000:202", b"192.0.2.3")] == [
        "", "address", "", "netblock"]
    assert admission.admit(b"fe80::1%eth0") == ""


def test_a_limit_on_all() -> None:
    admission = Admission(3, 0, 0)

    assert [admission.admit(b"10.0.%d.1" % number) for number in range(4)] == ["", "", "", "limit"]
    assert (admission.held, admission.total()) == (3, 3)


def test_workers_are_counted_together() -> None:
    """In other processes too; and who died has none."""
    tally = tallies(3)
    ours = Admission(5, 0, 0, tally[0])
    pid = os.fork()
    if not pid:
        theirs = Admission(5, 0, 0, tally[1])
        os._exit(sum(theirs.admit(b"10.0.0.%d" % number) == "" for number in range(3)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3

    assert [ours.admit(b"10.0.%d.1" % number) for number in range(3)] == ["", "", "limit"]
    tally[1].put(0)
    assert (ours.admit(b"10.0.2.1"), ours.total()) == ("", 3)


def test_a_connection_ends_once() -> None:
    admission = Admission(5, 0, 0)
    admission.admit(b"10.0.0.1")
    admission.release(b"10.0.0.1")

    with pytest.raises(KeyError):
        admission.release(b"10.0.0.1")
    assert (admission.held, admission.total()) == (0, 0)


def test_nothing_is_kept_of_who_is_gone() -> None:
    """Also of who was refused: a flood from everywhere costs no memory."""
    admission = Admission(2, 0, 0)
    for number in range(5000):
        ip = b"10.%d.%d.1" % (number >> 8, number & 255)
        if not admission.admit(ip) and number > 2:
            admission.release(ip)
    sizes = [sys.getsizeof(getattr(admission, name)) for name in ("_by_address", "_by_net")]

    assert max(sizes) < 1000


ips = st.sampled_from([b"10.0.0.1", b"10.0.0.2", b"10.0.1.1", b"::1", b"::2", b"1::1", b"::ffff:10.0.0.1"])


@given(st.lists(st.tuples(st.booleans(), ips), max_size=60), st.integers(1, 6), st.integers(0, 3), st.integers(0, 4))
def test_whatever_comes_and_goes(steps: list[tuple[bool, bytes]], limit: int, per_address: int, per_net: int) -> None:
    """The counts are those of a list of who is there."""
    admission = Admission(limit, per_address, per_net)
    there: list[bytes] = []
    for comes, ip in steps:
        if comes:
            alike = [each for each in there if same(each, ip)]
            near = [each for each in there if same(each[:-1], ip[:-1]) or (b"." not in ip and same(each, ip))]
            word = admission.admit(ip)
            assert (word == "limit") == (len(there) >= limit)
            if word != "limit":
                assert (word == "address") == (0 < per_address <= len(alike))
                assert word != "netblock" or 0 < per_net <= len(near)
            if not word:
                there.append(ip)
        elif ip in there:
            there.remove(ip)
            admission.release(ip)
        assert admission.held == len(there)


def same(one: bytes, other: bytes) -> bool:
    """They count as one address."""
    one, other = one.removeprefix(b"::ffff:"), other.removeprefix(b"::ffff:")
    return one == other or {one, other} <= {b"::1", b"::2"}
