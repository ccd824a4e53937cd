"""What is said of a line that is no rule: where it is wrong, what was expected, what was found, what was meant."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.rules.faults import faults, positions
from qsmtpd.rules.parse import tokens
from tests.qsmtpd.rules.language import WORDS, fault

ACTION = 'expected "&", "|" or an action, '
OPERAND = 'expected a tag, a fact, "any", "unknown(", "!" or "(", '

SAID = r"""
dnul refuse                1: no tag or fact has the name "dnul"; did you mean "dul"?
dul & kown-good accept     7: no tag or fact has the name "kown-good"; did you mean "known-good"?
zebra refuse               1: no tag or fact has the name "zebra"
dul refues                 5: no action has the name "refues"; did you mean "refuse"?
dul ?defre                 6: expected a verb behind the "?", found "defre"; did you mean "defer"?
dul rss refuse             5: ACTIONfound "rss"
dul                        4: ACTIONfound the end of the line
dul "no"                   5: ACTIONfound a text
dul # refuse               4: ACTIONfound the end of the line
refuse                     1: OPERANDfound "refuse"; a rule that always holds begins with "any"
dul & refuse               7: OPERANDfound "refuse"
!!dul refuse               2: OPERANDfound "!"
"dul" refuse               6: expected a blank and a comment, or the end of the line, behind the text, found " refuse"
dul & rss | vip refuse     11: "&" and "|" side by side want parentheses
dul | (rss & vip | virus) refuse  18: "&" and "|" side by side want parentheses
load refuse                6: expected "<", "<=", "=", ">=" or ">" behind the fact "load", found "refuse"
load == 5 refuse           7: expected a number of at most 20 digits, or a fact, found "="
dul > 5 refuse             5: "dul" is a tag, which holds or does not: only a fact is compared
load > dul refuse          8: expected a number or a fact, but "dul" is a tag
load > laod refuse         8: no fact has the name "laod"; did you mean "load"?
load > 1_000 refuse        8: expected a number of at most 20 digits, or a fact, found "1_000"
load >                     7: expected a number of at most 20 digits, or a fact, found the end of the line
(dul refuse                6: expected ")", found "refuse"
dul) refuse                4: ACTIONfound ")"
unknown dul refuse         9: expected "(" behind "unknown", found "dul"
unknown(load) refuse       9: expected a tag, but "load" is a fact
unknown(dnul) refuse       9: no tag has the name "dnul"; did you mean "dul"?
unknown(!dul) refuse       9: expected a tag, found "!"
unknown(dul refuse         13: expected ")", found "refuse"
unknown                    8: expected "(" behind "unknown", found the end of the line
dul refuse 450             12: refuse wants a code of three digits that begins with 5, found "450"
dul defer 550              11: defer wants a code of three digits that begins with 4, found "550"
dul throttle 1 550         16: throttle wants a code of three digits that begins with 4, found "550"
dul greylist 550 5.7.1     14: greylist wants a code of three digits that begins with 4, found "550"
dul close 450              11: close wants 421, or a code of three digits that begins with 5, found "450"
dul refuse 550 4.7.1       16: the status has to begin with 5, as the code 550 does, found "4.7.1"
dul refuse 550 5.07.1      16: expected a status, as in 5.7.1, a text in quotes or the end of the line, found "5.07.1"
dul refuse 5.7.1           12: expected a code of three digits, a text in quotes or the end of the line, found "5.7.1"
dul refuse 5               12: expected a code of three digits, a text in quotes or the end of the line, found "5"
dul refuse 550 5.7.1 x     22: expected a text in quotes or the end of the line, found "x"
dul accept 5               12: expected the end of the line, found "5"
dul quarantine 550         16: expected a text in quotes or the end of the line, found "550"
dul tarpit 5 550           14: expected the end of the line, found "550"
dul accept "ok"            12: accept takes no text
dul tarpit 5 "ok"          14: tarpit takes no text
dul tarpit                 11: tarpit wants a number of seconds, found the end of the line
dul tarpit x               12: expected a number of at most 20 digits, found "x"
dul throttle 450           14: "450" may be a number or a code: give a code its status as well, or a number its code
dul throttle@mail          13: throttle takes no "@": it asks for the recipient
dul quarantine@mail        15: quarantine takes no "@": it asks for a message
dul defer@rcpt             11: expected connect, helo or mail behind the "@", found "rcpt"
dul defer@conect           11: expected connect, helo or mail behind the "@", found "conect"; did you mean "connect"?
dul defer@                 11: expected connect, helo or mail behind the "@", found the end of the line
spf-fail defer@connect     15: "@connect" is too early: "spf-fail" is known from mail on
size > 5 throttle 1        10: throttle is for recipients, and comes too late: "size" is known from message on
dul & !badrcpt > 3 close@helo  25: "@helo" is too early: "badrcpt" is known from rcpt on
dul defer 101%             11: expected a percentage of 0% to 100%, found "101%"
dul defer x%               11: expected a percentage of 0% to 100%, found "x%"
dul refuse 90%             12: only defer takes a percentage, found "90%"
dul throttle 1 @connect    16: expected a code of three digits, a text in quotes or the end of the line, found "@"
dul header                 11: header wants a text in quotes, found the end of the line
dul log # "x"              8: log wants a text in quotes, found the end of the line
dul header "x"             13: expected a header field, as in "X-Reason: {reason}"
dul header "{ip}: x"       13: expected a header field, as in "X-Reason: {reason}"
dul header "X A: x"        13: expected a header field, as in "X-Reason: {reason}"
dul header ": x"           13: expected a header field, as in "X-Reason: {reason}"
dul header "RECEIVED: x"   13: RECEIVED is written by the mail server itself: take another header field
dul header "X-A: b\nc"     19: the text of header has one line
dul log "a\nb"             11: the text of log has one line
dul refuse "a\x"           14: expected \" or \n, which are the only escapes, found "\x"
dul refuse "\\"            13: expected \" or \n, which are the only escapes, found "\\"
dul refuse "{pi}"          13: no placeholder has the name "pi"; did you mean {ip}?
dul refuse "a {}"          15: no placeholder has the name ""; PLACEHOLDERS
dul refuse "{ip"           13: expected a "}" behind the name of a placeholder, found the end of the text
dul refuse "no             15: expected a closing quote, found the end of the line
dul refuse "a"x            15: expected a blank and a comment, or the end of the line, behind the text, found "x"
dul refuse "a"#x           15: expected a blank and a comment, or the end of the line, behind the text, found "#x"
dul#x refuse               1: no tag or fact has the name "dul#x"
"""


def rows() -> list[tuple[str, int, str]]:
    """Line, column, message."""
    found = []
    for line, column, message in re.findall(r"^(.*?) +(\d+): (.*)$", SAID, re.MULTILINE):
        found.append((line, int(column), message.replace("ACTION", ACTION).replace("OPERAND", OPERAND).replace(
            "PLACEHOLDERS", "there are ip, ptr, helo, sender, rcpt, lists, reason, until, score, rule")))
    return found


@pytest.mark.parametrize(("line", "column", "message"), rows(), ids=[row[0] for row in rows()])
def test_what_is_said(line: str, column: int, message: str) -> None:
    (error,) = faults(b"dul accept\n" + line.encode(), WORDS)

    assert str(error) == f"line 2, column {column}: {message}"


@pytest.mark.parametrize(("line", "column", "message"), [
    (b"dul refuse\r", 11, "a carriage return (a line ends with a line feed alone)"),
    (b"dul\0refuse", 4, "the byte 0x00"),
    (b"# M\xc3\xbcll", 4, "the byte 0xc3"),
    (b'dul refuse "\x1b[2J"', 13, "the byte 0x1b"),
    (b"\xef\xbb\xbfdul refuse", 1, "the byte 0xef"),
])
def test_strange_bytes(line: bytes, column: int, message: str) -> None:
    """A42, A44: nothing but printable ASCII and tabs, in comments too."""
    (error,) = faults(line, WORDS)

    assert str(error) == f"line 1, column {column}: expected printable ASCII, found {message}"


def test_long_lines() -> None:
    assert faults(b"dul refuse #".ljust(1000, b"x"), WORDS) == []
    (error,) = faults(b"dul refuse #".ljust(1001, b"x"), WORDS)

    assert str(error) == "line 1, column 1001: expected a line of at most 1000 characters"


def test_a_message_repeats_no_more_than_a_little_of_a_word() -> None:
    (error,) = faults(b"x" * 900 + b" refuse", WORDS)

    assert error.message == f'no tag or fact has the name "{"x" * 40}..."'


def test_every_line_has_its_own() -> None:
    found = faults(b"dul accept\nrefuse\n\n\xff\ndul accept\ndul\n# x\n", WORDS)

    assert [error.line for error in found] == [2, 4, 6]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1 \t&|!()<=>?@.%"), max_size=20))
def test_positions_are_those_of_the_words(head: str) -> None:
    """The columns are counted again where there is something to say; the words that they belong to are the parser's."""
    words, places = tokens(head), positions(head)

    assert len(words) == len(places)
    assert all(head.startswith(word, place) for word, place in zip(words, places, strict=True))
    assert places == sorted(places)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('dulrss &|!()<=>?@"\\{}#%5.0\nreceptanyi'), max_size=40))
def test_what_is_raised_is_the_first_that_is_found(text: str) -> None:
    found = faults(text.encode(), WORDS)

    assert str(fault(text.encode())) == str(found[0] if found else None)
