"""Several questions, several servers, and what they do to us."""

import socket
import time
from collections.abc import Callable
from threading import Thread

import pytest

from qsmtpd.lookups import dnsmessage
from qsmtpd.lookups.dnsbatch import Batch
from qsmtpd.lookups.dnssocket import Server
from tests.nameservers import lying, reply
from tests.servers import free_port

Answer = tuple[bytes, ...] | str
RIGHT = (b"192.0.2.1",)


def right(query: bytes) -> bytes:
    return reply(query, "A 192.0.2.1")


def ask(*ports: int, seconds: float = 10.0, kind: str = "A") -> Answer:
    """What comes of a.test, within so many seconds.  A socket that is left open ends in a warning, and so in an error."""
    batch = Batch([Server("127.0.0.1", port) for port in ports], 0)
    batch.add((b"a.test", kind), dnsmessage.question(b"a.test", kind))
    start = time.monotonic()
    batch.run(start, start + seconds)
    return batch.answers[b"a.test", kind]


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "one byte": lambda _: b"x",
    "an echo": lambda query: query,
    "other identity": lambda query: bytes([query[0] ^ 1]) + reply(query, "A 203.0.113.1")[1:],
    "a query": lambda query: query[:2] + b"\1\0" + reply(query, "A 203.0.113.1")[4:],
    "other opcode": lambda query: query[:2] + b"\x91\x80" + reply(query, "A 203.0.113.1")[4:],
    "other question": lambda query: reply(query[:13] + b"b" + query[14:], "A 203.0.113.1"),
    "no question": lambda query: query[:2] + b"\x81\x80" + bytes(8),
    "header alone": lambda query: query[:2] + b"\x81\x80\0\1" + bytes(6),
    "cut within a record": lambda query: reply(query, "A 203.0.113.1")[:-13],
    "a pointer to itself": lambda query: query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:24] + b"\xc0\x18" + bytes(14),
    "a circle of aliases": lambda query: reply(query, "CNAME a.test."),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_first(name: str) -> None:
    """A93, A94: it is passed over, and the answer waited for."""
    with lying(lambda query: [GARBAGE[name](query), right(query)]) as server:
        assert ask(server.port) == RIGHT


@pytest.mark.parametrize("name", GARBAGE)
def test_nothing_but_garbage(name: str) -> None:
    """A93, A94: a failure at the deadline, never an answer."""
    with lying(lambda query: [GARBAGE[name](query)] * 20) as server:
        assert isinstance(ask(server.port, seconds=0.3), str)


@pytest.mark.parametrize("name", ["a circle of aliases", "cut within a record"])
def test_the_next_server_is_asked_when_one_talks_nonsense(name: str) -> None:
    with lying(lambda query: [GARBAGE[name](query)]) as one, lying(lambda query: [right(query)]) as two:
        assert ask(one.port, two.port, seconds=0.5) == RIGHT


def test_icmp_is_no_answer() -> None:
    """A93: nobody listens, and a second later somebody does, as when the name server is started anew."""
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        def answer() -> None:
            time.sleep(0.5)
            late.bind(("127.0.0.1", port))
            query, client = late.recvfrom(4096)
            late.sendto(right(query), client)

        thread = Thread(target=answer)
        thread.start()
        assert ask(port) == RIGHT
        thread.join()


def test_icmp_brings_the_next_server_at_once() -> None:
    with lying(lambda query: [right(query)]) as server:
        assert ask(free_port(), free_port(), server.port, seconds=0.5) == RIGHT


def test_nobody_answers() -> None:
    """A95: the deadline holds; the question was asked three times meanwhile, each time as a new one."""
    with lying(lambda _: []) as server:
        start = time.monotonic()
        assert ask(server.port, seconds=3.2) == "no answer in time"
        assert 3.2 <= time.monotonic() - start < 5
        assert len({query[:2] for query in server.asked}) == 3


def test_a_late_answer_to_the_first_try_counts() -> None:
    first: list[tuple[bytes, tuple[str, int]]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            first.append(server.recvfrom(4096))
            server.recvfrom(4096)
            server.sendto(right(first[0][0]), first[0][1])

        thread = Thread(target=answer)
        thread.start()
        assert ask(server.getsockname()[1]) == RIGHT
        thread.join()


def test_a_server_that_is_dead() -> None:
    """The next is asked a second later."""
    with lying(lambda _: []) as dead, lying(lambda query: [right(query)]) as server:
        assert ask(dead.port, server.port) == RIGHT


@pytest.mark.parametrize("rcode", [dnsmessage.SERVFAIL, dnsmessage.REFUSED, 9])
def test_an_error_brings_the_next_server_at_once(rcode: int) -> None:
    with lying(lambda query: [reply(query, rcode=rcode)]) as one, lying(lambda query: [right(query)]) as two:
        assert ask(one.port, two.port, seconds=0.5) == RIGHT
        assert ask(one.port, one.port, seconds=60) == f"the answer was an error, rcode {rcode}"


def test_a_server_that_asks_nobody_is_passed_over() -> None:
    """Its empty answer does not mean that the name has no records."""
    with lying(lambda query: [query[:2] + b"\x80\0\0\1\0\0\0\0\0\0" + query[12:24]]) as lame, \
            lying(lambda query: [right(query)]) as server:
        assert ask(lame.port, server.port, seconds=0.5) == RIGHT


@pytest.mark.parametrize("bare", [True, False])
def test_a_server_that_does_not_know_edns(bare: bool) -> None:
    """FORMERR, with the question or without: the same again as in 1987."""
    def behave(query: bytes) -> list[bytes]:
        if query[11] == 0:
            return [right(query)]
        return [query[:2] + b"\x81\x81" + bytes(8)] if bare else [reply(query, rcode=dnsmessage.FORMERR)]

    with lying(behave) as server:
        assert ask(server.port, seconds=0.5) == RIGHT
        assert [query[11] for query in server.asked] == [1, 0]


def test_a_server_that_understands_nothing() -> None:
    with lying(lambda query: [reply(query, rcode=dnsmessage.FORMERR)]) as server:
        assert ask(server.port, seconds=60) == "the answer was an error, rcode 1"


def streamed(query: bytes) -> bytes:
    answer = right(query)
    return len(answer).to_bytes(2, "big") + answer


@pytest.mark.parametrize("cut", [
    lambda query: reply(query, cut=True), lambda query: reply(query, "A 203.0.113.1", cut=True),
    lambda query: reply(query, "A 203.0.113.1", cut=True)[:-13]], ids=["empty", "with a record", "within a record"])
def test_a_cut_answer_is_fetched_by_tcp(cut: Callable[[bytes], bytes]) -> None:
    """A93: also when the cut leaves half a record; what the datagram says does not count."""
    with lying(lambda query: [cut(query)], streamed) as server:
        assert ask(server.port) == RIGHT


def test_nobody_listens_for_tcp() -> None:
    with lying(lambda query: [reply(query, cut=True)]) as deaf, lying(lambda query: [right(query)]) as server:
        assert ask(deaf.port, server.port, seconds=0.5) == RIGHT
        assert ask(deaf.port, seconds=60) == "no answer by TCP"


def test_tcp_with_garbage() -> None:
    """A94: by TCP there is nothing to wait for."""
    def circle(query: bytes) -> bytes:
        answer = reply(query, "CNAME a.test.")
        return len(answer).to_bytes(2, "big") + answer

    with lying(lambda query: [reply(query, cut=True)], circle) as server:
        assert ask(server.port, seconds=60) == "a malformed answer: a chain of names without end"


def test_a_text_of_64_kilobytes() -> None:
    """A94."""
    def large(query: bytes) -> bytes:
        answer = reply(query, "TXT " + " ".join(['"' + "x" * 255 + '"'] * 255))
        return len(answer).to_bytes(2, "big") + answer

    with lying(lambda query: [reply(query, cut=True)], large) as server:
        assert ask(server.port, kind="TXT") == (b"x" * 255 * 255,)


def test_questions_are_asked_side_by_side() -> None:
    """A server that answers nobody before all have asked."""
    keys = [(b"n%d.test" % number, "A") for number in range(15)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            waiting = [server.recvfrom(4096) for _ in keys]
            for query, client in reversed(waiting):
                server.sendto(reply(query, f"A 192.0.2.{query[13:16].strip(bytes([4])).decode().strip('n')}"), client)

        thread = Thread(target=answer)
        thread.start()
        batch = Batch([Server(*server.getsockname())], 0)
        for key in keys:
            batch.add(key, dnsmessage.question(*key))
        batch.run(time.monotonic(), time.monotonic() + 10)
        thread.join()

    assert batch.answers == {key: (b"192.0.2.%d" % number,) for number, key in enumerate(keys)}
