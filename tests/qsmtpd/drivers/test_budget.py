"""What clients may have of a worker, and when somebody is sent away for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.drivers.budget import ALWAYS, TRIM_AGAIN, Budget
from qsmtpd.drivers.reception import FullError
from tests.budgets import budget

CLIENT, NEIGHBOUR, OTHER = b"192.0.2.1", b"192.0.2.2", b"198.51.100.1"


def refused(of: Budget, ip: bytes) -> str:
    """Why a message may not begin, "" when it has begun."""
    try:
        of.begin(ip)
    except FullError as error:
        return str(error)
    return ""


def test_messages_at_once() -> None:
    """Past the limit messages and new connections are refused, until one has ended."""
    of = budget(messages=4)
    found = [refused(of, ip) for ip in (CLIENT, CLIENT, OTHER, OTHER, OTHER)]

    assert found == ["", "", "", "", "messages"]
    assert of.refusal() == "messages"
    of.end(OTHER)
    assert (of.refusal(), refused(of, OTHER)) == ("", "")


def test_a_network_has_half_of_them() -> None:
    """A37: else a handful of clients who never finish theirs would shut everybody out."""
    of = budget(messages=4)

    assert [refused(of, ip) for ip in (CLIENT, NEIGHBOUR, CLIENT, OTHER)] == ["", "", "netblock", ""]
    assert of.refusal() == ""


def test_the_marks() -> None:
    of = budget(memory=1000)
    seen = []
    for size in (250, 1, 499, 1, 249, 1):
        of.take(size)
        seen.append((of.spills, of.refusal(), of.overdrawn))

    assert seen == [(False, "", False), (True, "", False), (True, "", False), (True, "memory", False), (True, "memory", False),
                    (True, "memory", True)]
    assert refused(of, CLIENT) == "memory"
    of.take(-251)
    assert (of.refusal(), refused(of, CLIENT)) == ("", "")


class Heavy:
    def __init__(self) -> None:
        self.bytes = 50_000

    def __call__(self) -> int:
        return self.bytes


def test_a_process_that_has_grown() -> None:
    """Whatever it has grown by: nobody else is taken until it is lighter."""
    weight = Heavy()
    of = Budget(1000, 10, weight)
    of.weigh(0.0, 500)
    before = of.refusal()
    weight.bytes += 1001
    of.weigh(1.0, 500)

    assert (before, of.refusal(), refused(of, CLIENT)) == ("", "memory", "memory")
    assert not of.overdrawn, "messages that have begun go on"
    weight.bytes -= 1
    of.weigh(2.0, 500)
    assert of.refusal() == ""


def test_a_process_that_stays_heavy_serves_a_few() -> None:
    """Recovery: what a flood has left in the allocator is not given back by refusing."""
    weight = Heavy()
    of = Budget(1000, 10, weight)
    weight.bytes += 5000

    of.weigh(0.0, ALWAYS + 1)
    assert of.refusal() == "memory"
    of.weigh(1.0, ALWAYS)
    assert of.refusal() == ""


def test_it_is_trimmed_now_and_then() -> None:
    weight = Heavy()
    of = Budget(1000, 10, weight)
    weight.bytes += 501
    first = 1.0 + TRIM_AGAIN

    assert [of.weigh(now, 500) for now in (first, first + 1, first + TRIM_AGAIN)] == [
        (True, False), (False, False), (True, False)]
    weight.bytes -= 1
    assert of.weigh(9 * TRIM_AGAIN, 500) == (False, False)


@pytest.mark.parametrize(("grown", "connections", "sent"), [(1250, 500, False), (1251, 500, True), (1251, ALWAYS, False)])
def test_clients_are_sent_home_when_nothing_else_helps(grown: int, connections: int, sent: bool) -> None:
    weight = Heavy()
    of = Budget(1000, 10, weight)
    weight.bytes += grown

    assert [of.weigh(100.0 + second, connections)[1] for second in range(3)] == [sent] * 3


@given(st.lists(st.sampled_from([CLIENT, NEIGHBOUR, OTHER])), st.integers(1, 6))
def test_all_that_ends_leaves_room(ips: list[bytes], messages: int) -> None:
    of = budget(messages=messages)
    begun = [ip for ip in ips if not refused(of, ip)]

    assert len(begun) == of.messages <= messages
    for ip in begun:
        of.end(ip)
    assert of.messages == 0
    assert of.refusal() == ""


def test_why_is_an_oserror_for_who_opens_a_queue() -> None:
    with pytest.raises(OSError, match="messages"):
        raise FullError("messages")
