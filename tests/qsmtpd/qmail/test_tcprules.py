"""What we find in a cdb of rules against tcprulescheck and tcpserver, of ucspi-tcp and of ucspi-tcp-ipv6."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import cdbx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsmtpd.qmail.tcprules import address, decode, find, order
from tests.network import in_own_network
from tests.servers import Service, wait_until
from tests.ucspi import checked, classic, compiled, six

octets = st.sampled_from(["1", "2", "10", "127", "255"])
groups = st.sampled_from(["0", "0", "1", "db8", "ffff"])
ipv4 = st.lists(octets, min_size=4, max_size=4).map(".".join)
ipv6 = st.lists(groups, min_size=8, max_size=8).map(lambda words: address(":".join(words).encode()).decode())
hosts = st.lists(st.sampled_from(["a", "mx", "example", "net"]), min_size=1, max_size=3).map(".".join) | st.sampled_from(
    ["", ".", "a.", ".a", "a..net", "A", "a%b:c"])
infos = st.sampled_from(["joe", "", "a b", "=", "x@y"])


def beginnings(ip: str) -> st.SearchStrategy[str]:
    return st.sampled_from([ip[:end] for end in range(len(ip) + 1)])


addresses = st.one_of(
    ipv4, ipv6, (ipv4 | ipv6).flatmap(beginnings), st.just(""),
    st.builds("{}{}-{}".format, st.sampled_from(["", "1.", "10.2.", "1.2.10."]), octets, octets),
    st.builds("{}.{}-{}.".format, octets, octets, octets),
    st.builds("{}/{}".format, ipv4 | ipv6, st.integers(0, 128)),
    hosts.map("={}".format), st.just("="),
    st.builds("{}@{}".format, infos, ipv4 | ipv6 | hosts.map("={}".format)))
values = st.text(st.sampled_from("ab =,:+D@"), max_size=4)
names = st.sampled_from(["A", "B", "RELAYCLIENT", "", "a b", "D"])
variables = st.lists(st.builds(',{}="{}"'.format, names, values), max_size=3)
lines = st.builds("{}:{}{}".format, addresses, st.sampled_from(["allow", "allow", "deny"]), variables.map("".join))
"""CIDR too: neither version knows it, and both take the line."""

Clients = list[tuple[str, str | None, str | None]]


def clients_from(ips: st.SearchStrategy[str]) -> st.SearchStrategy[Clients]:
    return st.lists(st.tuples(ips, st.none() | hosts, st.none() | infos), min_size=3, max_size=8)


def expected(directory: Path, ip: bytes, host: bytes | None, info: bytes | None) -> bytes:
    """What tcprulescheck would print; the variables of a rule that denies it keeps to itself."""
    with (directory / "cdb").open("rb") as file:
        found = find(cdbx.CDB(file), ip, host, info)
        head, data = (b"default:\n", b"") if found is None else (b"rule %b:\n" % found[0], found[1])
    allow, variables = decode(data)
    if not allow:
        return head + b"deny connection\n"
    raw = {name.encode("ascii", "surrogateescape"): value for name, value in variables.items()}
    return head + b"".join(b"set environment variable %b=%b\n" % item for item in raw.items()) + b"allow connection\n"


def last_of_each(printed: bytes) -> bytes:
    """Of lines that set the same variable the last, where the first was: what comes of them."""
    kept: dict[bytes, bytes] = {}
    for line in printed.split(b"\n"):
        kept[line.partition(b"=")[0]] = line
    return b"\n".join(kept.values())


def maybe(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def agree(version: Callable[[str], str], directory: Path, rules: list[str], clients: Clients) -> None:
    if not compiled(version("tcprules"), directory, "".join(f"{rule}\n" for rule in rules).encode()):
        return
    for ip, host, info in clients:
        client = ip.encode(), maybe(host), maybe(info)
        printed = checked(version("tcprulescheck"), directory, *client)
        assert expected(directory, *client) == last_of_each(printed), client


many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(st.lists(lines, min_size=1, max_size=12), clients_from(ipv4))
def test_the_same_as_ucspi_tcp(tmp_path: Path, rules: list[str], clients: Clients) -> None:
    agree(classic, tmp_path, rules, clients)


@many
@given(st.lists(lines, min_size=1, max_size=12), clients_from(ipv4 | ipv6))
def test_the_same_as_ucspi_tcp_ipv6(tmp_path: Path, rules: list[str], clients: Clients) -> None:
    agree(six, tmp_path, rules, clients)


def test_a_file_for_people(tmp_path: Path) -> None:
    """What each client gets in words: the narrowest rule, wherever it stands in the file."""
    text = (b'10.:allow,RELAYCLIENT="",X="1"\n10.2.3.4:deny\n=.example.net:allow,RBLSMTPD=""\n'
            b'2001:db8:7::allow,SIX="y"\n:allow,Y="2"\n')
    assert compiled(six("tcprules"), tmp_path, text)
    with (tmp_path / "cdb").open("rb") as file:
        rules = cdbx.CDB(file)
        assert find(rules, b"10.2.3.4", b"mx.example.net") == (b"10.2.3.4", b"D\0")
        assert find(rules, b"10.9.9.9", b"mx.example.net") == (b"10.", b"+RELAYCLIENT=\0+X=1\0")
        assert find(rules, b"192.0.2.1", b"mx.example.net") == (b"=.example.net", b"+RBLSMTPD=\0")
        assert find(rules, b"2001:db8:7::25") == (b"2001:db8:7:", b"+SIX=y\0")
        assert find(rules, b"192.0.2.1") == (b"", b"+Y=2\0")


def test_no_rule_for_the_client() -> None:
    assert find({b"10.": b"D\0"}, b"11.0.0.1", b"h", b"i") is None


def test_what_a_rule_says() -> None:
    assert decode(b"") == (True, {})
    assert decode(b"D\0") == (False, {})
    assert decode(b"+A=1\0+B=x=y\0+A=2\0") == (True, {"A": b"2", "B": b"x=y"})
    assert decode(b"D\0+A=1\0") == (False, {"A": b"1"})
    assert decode(b"+\xff=\xff\0") == (True, {"\udcff": b"\xff"})


@pytest.mark.parametrize("data", [b"+A=1", b"D", b"\0\0", b"+A\0", b"?\0", b"A=1\0"])
def test_what_no_tcprules_has_written_is_passed_over(data: bytes) -> None:
    """As found() of tcpserver.c does."""
    assert decode(data) == (True, {})


@given(st.binary(max_size=40))
def test_any_data_is_read(data: bytes) -> None:
    allow, variables = decode(data)

    assert allow or b"D" in data
    assert all(data.count(value) for value in variables.values())


def test_what_is_asked_for_first() -> None:
    assert list(order(b"1.2.3.4", b"a.b", b"joe")) == [
        b"joe@1.2.3.4", b"joe@=a.b", b"1.2.3.4", b"=a.b", b"1.2.3.", b"1.2.", b"1.", b"=.b", b"=", b""]
    assert list(order(b"2001:db8::1")) == [b"2001:db8::1", b"2001:db8::", b"2001:db8:", b"2001:", b""]


@pytest.mark.parametrize(("ip", "written"), [
    (b"192.0.2.1", b"192.0.2.1"), (b"::ffff:192.0.2.1", b"192.0.2.1"), (b"::", b"::"), (b"fe80::1%eth0", b"fe80::1"),
    (b"2001:db8:0:1:1:1:1:1", b"2001:db8::1:1:1:1:1"), (b"1:2:3:4:5:6:7:8", b"1:2:3:4:5:6:7:8")])
def test_how_an_address_is_written(ip: bytes, written: bytes) -> None:
    assert address(ip) == written


@pytest.mark.parametrize("ip", [b":", b"1::2::3", b"::\xff", b"12345::"])
def test_no_address(ip: bytes) -> None:
    with pytest.raises(OSError, match="illegal"):
        address(ip)


COMING = ["2001:db8:0:1:1:1:1:1", "2001:db8:1:0:0:1:0:0", "1:0:2:0:3:0:4:0", "2001:db8::a", "2001:db8:0:0:1::1", "fd00:0:0:1::",
          "2a00:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"]


@pytest.mark.root
def test_addresses_are_written_as_tcpserver_writes_them(tmp_path: Path) -> None:
    """Or the rules of a site for its IPv6 clients would not be found."""
    def body() -> None:
        service = Service([six("tcpserver"), "-1HRl0", "0", "0", "printenv", "TCPREMOTEIP"], tmp_path / "log", None, None)
        try:
            wait_until(lambda: service.output().endswith("\n"))
            port = int(service.output())
            told = []
            for ip in COMING:
                with socket.create_connection(("::1", port), 10, (ip, 0)) as client:
                    told.append((address(ip.encode()), client.makefile("rb").read().strip()))
            assert [ours for ours, _ in told] == [theirs for _, theirs in told]
        finally:
            service.stop()

    in_own_network(COMING, body)


def test_the_programs_are_what_they_should_be() -> None:
    """The one looks for the beginnings of IPv6 addresses, the other is the one that is installed."""
    usages = [subprocess.run([version("tcpserver")], capture_output=True, check=False).stderr for version in (classic, six)]

    assert b"[ -1UX" in usages[0]
    assert b"[ -461UX" in usages[1]
