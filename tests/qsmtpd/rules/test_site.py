"""control/tags: every kind, and everything that is no tag."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.rules.parse import RuleError, parse
from qsmtpd.rules.site import KINDS, SiteTag, is_word, parse_tags, tag_faults, vocabulary
from qsmtpd.rules.vocabulary import AT_HAND, CONNECT, DNS, FILE, HELO, MAIL, RCPT, TERMS

FILE_OF_TAGS = b"""\
# the site's own
dul     dnsbl  dul.Example.ORG.
rss     dnsbl  rss.example  127.0.0.2,127.0.0.4-127.0.0.7   # relays
wl      dnswl  list.example 127.0.0.0-127.0.255.255
badurl  rhsbl  rhs.example
mx2     env    MXLEVEL=2
inside\tenv\tINSIDE
friends ip     friends
pools   ptr    pools.cdb
liars   helo   liars
spammers sender spammers
vip     rcpt   nogreylist
"""

TAGS = parse_tags(FILE_OF_TAGS)


def fault(text: bytes) -> str:
    with pytest.raises(RuleError) as raised:
        parse_tags(text)
    return str(raised.value)


def test_all_kinds() -> None:
    assert {tag.kind for tag in TAGS.values()} == set(KINDS)
    assert [TAGS[name].line for name in ("dul", "vip")] == [2, 12]


def test_zones_and_codes() -> None:
    assert (TAGS["dul"].zone, TAGS["dul"].codes) == (b"dul.example.org", ((0x7F000002, 0x7F000002),))
    assert TAGS["rss"].codes == ((0x7F000002, 0x7F000002), (0x7F000004, 0x7F000007))
    assert TAGS["badurl"].zone == b"rhs.example"


@pytest.mark.parametrize(("name", "answer", "listed"), [
    ("dul", b"127.0.0.2", True), ("dul", b"127.0.0.3", False), ("dul", b"192.0.2.2", False), ("dul", b"", False),
    ("rss", b"127.0.0.4", True), ("rss", b"127.0.0.7", True), ("rss", b"127.0.0.3", False), ("rss", b"127.0.0.8", False),
    ("wl", b"127.0.5.1", True), ("wl", b"127.0.0.0", True), ("wl", b"127.0.0.1", False), ("wl", b"127.1.0.0", False),
    ("wl", b"127.255.255.254", False), ("wl", b"127.0.0.256", False), ("wl", b"127.0.0.\xb2", False), ("wl", b"x", False)])
def test_what_counts(name: str, answer: bytes, listed: bool) -> None:
    """127.0.0.1 and 127.255.255.x are no hits, also within a range."""
    assert TAGS[name].lists(answer) is listed


@given(st.integers(0x7F000000, 0x7FFFFFFF), st.integers(0x7F000000, 0x7FFFFFFF), st.integers(0, 2**32 - 1))
def test_no_range_makes_a_hit_of_an_error(first: int, last: int, answer: int) -> None:
    try:
        tag = SiteTag("x", "dnsbl", f"z {dotted(first)}-{dotted(last)}")
    except ValueError:
        return

    for address in (answer, 0x7F000001, 0x7FFFFF00 | answer & 255):
        error = address == 0x7F000001 or address >> 8 == 0x7FFFFF
        assert tag.lists(dotted(address).encode()) == (first <= address <= last and not error)


def dotted(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def test_variables() -> None:
    assert (TAGS["mx2"].variable, TAGS["mx2"].value) == ("MXLEVEL", b"2")
    assert (TAGS["inside"].variable, TAGS["inside"].value) == ("INSIDE", None)
    assert parse_tags(b"x env ROLE=backup two # why\n")["x"].value == b"backup two"
    assert parse_tags(b"x env ROLE=\n")["x"].value == b""


def test_files() -> None:
    assert [TAGS[name].where for name in ("friends", "pools", "liars", "spammers", "vip")] == [
        "friends", "pools.cdb", "liars", "spammers", "nogreylist"]


@pytest.mark.parametrize(("name", "stage", "cost", "check"), [
    ("dul", CONNECT, DNS, "dnsbl"), ("wl", CONNECT, DNS, "dnsbl"), ("badurl", MAIL, DNS, "rhsbl"),
    ("mx2", CONNECT, AT_HAND, "variables"),
    ("friends", CONNECT, FILE, "addresslist"), ("pools", CONNECT, DNS, "namelist"), ("liars", HELO, FILE, "namelist"),
    ("spammers", MAIL, FILE, "namelist"), ("vip", RCPT, FILE, "namelist")])
def test_the_vocabulary(name: str, stage: int, cost: int, check: str) -> None:
    """Each is a tag like those of the language."""
    words = vocabulary(TAGS)
    term = words[name]

    assert (term.stage, term.cost, term.check, term.kind) == (stage, cost, check, TAGS[name].kind)
    assert words.items() >= TERMS.items()
    assert parse(f"{name} & !unknown({name}) refuse".encode(), words).rules[0].stage == stage


SAID = [
    (b"dul dnsbl dul.example\ndul rhsbl x.example", 'line 2, column 1: "dul" is defined in line 1 already'),
    (b"noptr env X", 'line 1, column 1: "noptr" is a word of the language: take another name'),
    (b"load env X", 'line 1, column 1: "load" is a word of the language: take another name'),
    (b"refuse env X", 'line 1, column 1: "refuse" is a word of the language: take another name'),
    (b"  any env X", 'line 1, column 3: "any" is a word of the language: take another name'),
    (b"unknown env X", 'line 1, column 1: "unknown" is a word of the language: take another name'),
    (b"connect env X", 'line 1, column 1: "connect" is a word of the language: take another name'),
    (b"x&y env X", 'line 1, column 1: NAME "x&y"'),
    (b"1x env X", 'line 1, column 1: NAME "1x"'),
    (b"x", "line 1, column 2: KIND found the end of the line"),
    (b"x rbl y", 'line 1, column 3: KIND found "rbl"'),
    (b"x dnsbl", "line 1, column 8: expected a zone, as in dnsbl.example.org, found the end of the line"),
    (b"x dnsbl a..b", 'line 1, column 9: expected a zone, as in dnsbl.example.org, found "a..b"'),
    (b"x env 1X", 'line 1, column 7: expected VARIABLE or VARIABLE=VALUE, found "1X"'),
    (b"x ip ../x", 'line 1, column 6: expected the name of a file in the control directory, found "../x"'),
    (b"x ip .x", 'line 1, column 6: expected the name of a file in the control directory, found ".x"'),
    (b"x ip a b", 'line 1, column 6: expected the name of a file in the control directory, found "a b"'),
    (b"x ip", "line 1, column 5: expected the name of a file in the control directory, found the end of the line"),
    (b"x ip y\r", "line 1, column 7: expected printable ASCII, found the byte 0x0d"),
    (b"x ip y\0", "line 1, column 7: expected printable ASCII, found the byte 0x00"),
    (b"x ip \xff", "line 1, column 6: expected printable ASCII, found the byte 0xff"),
    (b"x ip " + b"y" * 1000, "line 1, column 1001: expected a line of at most 1000 characters"),
]


@pytest.mark.parametrize(("text", "said"), SAID)
def test_what_is_said(text: bytes, said: str) -> None:
    assert fault(text) == said.replace("KIND", f"expected one of {', '.join(KINDS)},").replace(
        "NAME", 'expected a name of letters, digits, ".", "-", "_", a letter first, found')


@pytest.mark.parametrize("codes", [
    "127.0.0.1", "127.255.255.254", "127.0.0.2-127.255.255.1", "128.0.0.2", "127.0.0", "127.0.0.256", "127.0.0.3-127.0.0.2",
    "127.0.0.2,", "x", "127.0.0.2 127.0.0.3", "127.0.0.+2", "127.0.0.2-", "127.0.0.0002"])
def test_codes_that_are_none(codes: str) -> None:
    assert fault(f"x dnsbl zone.example {codes}".encode()).startswith(
        "line 1, column 9: expected codes within 127.0.0.0/8, as in 127.0.0.2,127.0.0.4-127.0.0.7, but neither 127.0.0.1 nor "
        "127.255.255.x, found")


def test_every_line_has_its_own_fault() -> None:
    assert [error.line for error in tag_faults(b"x env X\nx env Y\n\nz\n# z\nany ip x\n")] == [2, 4, 6]
    assert tag_faults(FILE_OF_TAGS) == []


PIECES = [*"-,=# \t\n", "x", "y2", "any", "a.b", "127.0.0.2", *KINDS]


@settings(deadline=None)
@given(st.binary(max_size=60) | st.lists(st.sampled_from(PIECES)).map(lambda words: "".join(words).encode()))
def test_any_bytes(text: bytes) -> None:
    """A fault that says so in printable ASCII, or tags whose names are words of their own."""
    faults = tag_faults(text)

    assert all(str(error).isascii() and str(error).isprintable() for error in faults)
    if not faults:
        assert not any(is_word(name) for name in parse_tags(text))
