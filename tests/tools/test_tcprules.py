"""Our reading of tcp.smtp against tcprules and tcprulescheck themselves (ucspi-tcp 0.88)."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.qmail.tcprules import order
from tools.tcprules import Rule, RuleError, parse, wider


def compiled(directory: Path, text: bytes) -> int:
    """tcprules' exit code."""
    command = ["tcprules", directory / "cdb", directory / "tmp"]
    return subprocess.run(command, input=text, capture_output=True, check=False).returncode


def checked(directory: Path, ip: bytes, host: bytes | None = None, info: bytes | None = None) -> bytes:
    """What tcprulescheck prints for a client."""
    environment = {b"PATH": os.environb[b"PATH"], b"TCPREMOTEIP": ip}
    environment |= {b"TCPREMOTEHOST": host} if host is not None else {}
    environment |= {b"TCPREMOTEINFO": info} if info is not None else {}
    return subprocess.run(["tcprulescheck", directory / "cdb"], env=environment, capture_output=True, check=True).stdout


def expected(rules: list[Rule], ip: bytes, host: bytes | None = None, info: bytes | None = None) -> bytes:
    """The same from our reader: tcpserver's order, and of equal addresses the first."""
    table: dict[bytes, Rule] = {}
    for rule in rules:
        for address in rule.addresses:
            table.setdefault(address, rule)
    for address in order(ip, host, info):
        if address in table:
            rule = table[address]
            if not rule.allow:
                return b"rule %b:\ndeny connection\n" % address
            lines = [b"set environment variable %b=%b\n" % each for each in rule.variables]
            return b"rule %b:\n" % address + b"".join(lines) + b"allow connection\n"
    return b"default:\nallow connection\n"


def test_the_parts_of_a_rule() -> None:
    assert parse(b'10.2-3.:allow,RELAYCLIENT="",X=/a"b,c=/ \t') == Rule(
        (b"10.2.", b"10.3."), True, ((b"RELAYCLIENT", b""), (b"X", b'a"b,c=')), b'10.2-3.:allow,RELAYCLIENT="",X=/a"b,c=/')


@pytest.mark.parametrize("line", [b"", b"  \t", b"#", b"# 10.:deny", b"#10.:deny"])
def test_what_is_no_rule(line: bytes) -> None:
    assert parse(line) is None


NEVER = [
    (b"10.0.0.0/24:deny", "expected 1.2.3. for 1.2.3.0/24"),
    (b" 10.:deny", "in the first column"),
    (b"10.0.0:deny", "a dot at the end of a network"),
    (b"10:deny", "a dot at the end of a network"),
    (b"10.0.0.256:deny", "expected 1.2.3.4"),
    (b"10.0.0.01:deny", "expected 1.2.3.4"),
    (b"10.0.0.1.:deny", "expected 1.2.3.4"),
    (b"10..1:deny", "expected 1.2.3.4"),
    (b"10.0.0.9-3:deny", "expected 1.2.3.4"),
    (b"10.0.1-2.3-5:deny", "expected 1.2.3.4"),
    (b"mail.example.org:deny", "expected 1.2.3.4"),
    (b"=Mail.example.org:deny", "in lower case"),
    (b"=mail.example.org.:deny", "in lower case"),
    (b"joe@10.:deny", "expected user@1.2.3.4"),
    (b"joe@=.example.org:deny", "expected user@1.2.3.4"),
    (b"@10.0.0.1:deny", "expected user@1.2.3.4"),
    (b"no colon", "expected address:allow or address:deny"),
    (b' # c: allow,A="x"', "expected allow or deny"),
]
"""What tcprules would mostly take, and what would never match as it was meant."""

REFUSED = [
    (b"2001:db8::1:deny", "IPv6 addresses have no place here"),
    (b'10.:allow,RELAYCLIENT=""\r', "DOS line ends"),
    (b"10.: allow", "right after the first colon"),
    (b"10.:Allow", "expected allow or deny"),
    (b"10.:", "expected allow or deny"),
    (b"10.:allowed", 'found "ed"'),
    (b'10.:allow,A="x', 'expected the quote " again after the value of A'),
    (b'10.:allow,A="x"y', 'found "y"'),
    (b"10.:allow,A=", 'found ",A="'),
    (b"10.:allow,A", 'found ",A"'),
    (b"10.:allow,", 'found ","'),
    (b"10.:allow,A=x", 'found ",A=x"'),
]
"""What tcprules itself refuses."""

OURS = [
    (b'10.:allow, A="x"', 'found ", A='),
    (b"10.:allow,A=xyx", 'found ",A=xyx"'),
    (b'10.:allow,="x"', 'found ",="x""'),
    (b'10.:allow,A="x",A="y"', "expected A only once"),
    (b'10.:allow,A="\0"', "control characters"),
]
"""What tcprules takes and hardly anybody means."""


@pytest.mark.parametrize(("line", "message"), NEVER + REFUSED + OURS)
def test_a_mistake_is_told_with_what_was_expected(line: bytes, message: str) -> None:
    with pytest.raises(RuleError) as error:
        parse(line)

    assert message in str(error.value)


@pytest.mark.parametrize("line", [line for line, _ in REFUSED])
def test_tcprules_refuses_these_and_all_that_stands_with_them(tmp_path: Path, line: bytes) -> None:
    """An IPv6 line, or a file whose end runs into the next one, stops every later build."""
    assert compiled(tmp_path, b"1.2.3.4:deny\n" + line + b"\n") != 0
    assert not (tmp_path / "cdb").exists()


@pytest.mark.parametrize("line", [b"10.0.0.0/24:deny", b" 10.:deny", b"10.0.0:deny", b"10.0.0.9-3:deny", b"10.0.1-2.3-5:deny"])
def test_tcprules_takes_these_and_they_never_match(tmp_path: Path, line: bytes) -> None:
    assert compiled(tmp_path, line + b"\n") == 0
    assert {checked(tmp_path, b"10.0.%d.%d" % (third, last)) for third in range(3) for last in (0, 4, 5)} == {
        b"default:\nallow connection\n"}


def test_a_quote_in_a_value_that_came_from_outside(tmp_path: Path) -> None:
    """A115: such a line is well-formed for tcprules, so texts from the network must not reach it at all."""
    line = b'1.2.3.4:allow,RBLSMTPD="seen HELO x",RELAYCLIENT=""'

    assert compiled(tmp_path, line + b"\n") == 0
    assert (b"RELAYCLIENT", b"") in (parse(line) or Rule((), False, (), b"")).variables


OCTETS = st.integers(0, 255).map(b"%d".__mod__)
SMALL = st.integers(0, 3).map(b"%d".__mod__)
IP = st.tuples(SMALL, SMALL, SMALL, SMALL).map(b".".join)
HOSTS = st.sampled_from([b"a.test", b"b.a.test", b"test", b"x-1.test"])
NETWORK = st.lists(SMALL, min_size=1, max_size=3).map(lambda labels: b".".join(labels) + b".")
RANGE = st.tuples(st.lists(SMALL, max_size=2), SMALL, OCTETS, st.lists(SMALL, max_size=1), st.booleans()).map(
    lambda parts: b".".join([*parts[0], parts[1] + b"-" + parts[2], *parts[3]]) + (b"." if parts[4] else b""))
ADDRESS = st.one_of(
    IP, NETWORK, RANGE, st.just(b""), st.just(b"="), HOSTS.map(b"=".__add__), HOSTS.map(b"=.".__add__),
    st.tuples(st.sampled_from([b"joe", b"a-b", b"x@y"]), st.one_of(IP, HOSTS.map(b"=".__add__))).map(b"@".join),
    st.text("0123456789.-=@ /a", max_size=8).map(str.encode))
VALUE = st.binary(max_size=6).map(lambda value: value.translate(None, b"\n"))
NAME = st.sampled_from([b"A", b"RELAYCLIENT", b"B_1", b"", b" A"])
QUOTE = st.sampled_from([b'"', b"/", b"'", b"x", b" "])
VARIABLES = st.lists(st.tuples(NAME, QUOTE, VALUE), max_size=3).map(
    lambda rows: b"".join(b",%b=%b%b%b" % (name, quote, value, quote) for name, quote, value in rows))
VERB = st.sampled_from([b":allow", b":allow", b":deny", b":Allow", b":"])
END = st.sampled_from([b"", b"", b" ", b"x"])
INFO = st.sampled_from([None, b"joe", b"a-b", b"x@y"])
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="|"), max_size=8).map(str.encode)
RULE = st.tuples(
    st.one_of(IP, NETWORK, HOSTS.map(b"=".__add__), st.sampled_from([b"", b"0-3.", b"1.0-2.", b"0.1.2.1-3", b"1.2-250.0.3"])),
    st.sampled_from([b":allow", b":deny"]),
    st.dictionaries(st.sampled_from([b"A", b"RELAYCLIENT", b"B_1"]), PRINTABLE, max_size=2).map(
        lambda values: b"".join(b",%b=|%b|" % row for row in values.items()))).map(b"".join)
WILD = st.one_of(
    st.tuples(ADDRESS, VERB, VARIABLES, END).map(b"".join),
    st.binary(max_size=12).map(lambda line: line.translate(None, b"\n")))
LINE = st.one_of(RULE, RULE, WILD)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE, max_size=12), IP, st.one_of(st.none(), HOSTS), INFO)
def test_what_we_pass_tcprules_takes_and_reads_alike(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ip: bytes,
                                                     host: bytes | None, info: bytes | None) -> None:
    """Whatever the lines: exit code 0, and for each address in them and a random client the same instructions."""
    directory = tmp_path_factory.getbasetemp()
    rules = []
    for line in lines:
        try:
            rule = parse(line)
        except RuleError:
            continue
        rules += [rule] if rule else []

    assert compiled(directory, b"".join(rule.text + b"\n" for rule in rules)) == 0
    assert checked(directory, ip, host, info) == expected(rules, ip, host, info)
    for rule in rules:
        for address in {rule.addresses[0], rule.addresses[-1]}:
            if address.count(b".") == 3 and b"=" not in address and b"@" not in address:
                assert checked(directory, address) == expected(rules, address)


@given(st.binary(max_size=40))
def test_any_line_is_a_rule_or_an_error(line: bytes) -> None:
    try:
        parse(line.replace(b"\n", b""))
    except RuleError as error:
        message = str(error)
    else:
        message = "expected nothing"
    assert message.startswith("expected ")


@pytest.mark.parametrize(("address", "found"), [
    (b"1.2.3.4", [b"1.2.3.", b"1.2.", b"1.", b""]),
    (b"1.2.", [b"1.", b""]),
    (b"=a.b.test", [b"=.b.test", b"=.test", b"=", b""]),
    (b"=.b.test", [b"=.test", b"=", b""]),
    (b"=", [b""]),
    (b"joe@1.2.3.4", [b"1.2.3.4", b"1.2.3.", b"1.2.", b"1.", b""]),
    (b"joe@=a.test", [b"=a.test", b"=.test", b"=", b""]),
    (b"", []),
])
def test_what_an_address_hides(address: bytes, found: list[bytes]) -> None:
    assert list(wider(address)) == found


@given(IP)
def test_wider_is_the_rest_of_the_order(ip: bytes) -> None:
    assert [ip, *wider(ip)] == list(order(ip))
