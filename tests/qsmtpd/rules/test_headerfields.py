"""Fields of a header: what is understood, what is a fault, and that nothing makes it slow."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.rules.headerfields import Fields, mime_type, names_address

SOUND = b"From: a@b.test\nTo: c@d.test,\n\te@f.test\nX-Other: \xc3\xa9\x0b\x1b\nSubject:\n\n"


@pytest.mark.parametrize(("header", "fault"), [
    (SOUND, b""),
    (b"", b""),
    (b"\n", b""),
    (SOUND[:-1], b""),
    (b"From: a@b.test\n\n\0\r nonsense\n", b"a NUL"),
    (b"From: a@b.test\nnonsense\n\n", b"line 2: no field"),
    (b" From: a@b.test\n\n", b"line 1: continues nothing"),
    (b"From: a@b.test\n \t\nTo: c@d.test\n\n", b"line 2: blanks only"),
    (b"From : a@b.test\n\n", b"line 1: a blank before the colon"),
    (b": a@b.test\n\n", b"line 1: no field"),
    (b"Fr\xc3\xb6m: a@b.test\n\n", b"line 1: no field"),
    (b"Fr om: a@b.test\n\n", b"line 1: no field"),
    (b"From a@b.test Sat Nov 21 20:00:00 2026\nFrom: a@b.test\n\n", b"line 1: no field"),
    (b"To: c@d.test\n\xa0\nFrom: a@b.test\n\n", b"line 2: no field"),
    (b"Fr\0om: a@b.test\n\n", b"line 1: no field"),
    (b"Subject: a\0b\n\n", b"a NUL"),
    (b"Subject: a\rFrom: b\n\n", b"a bare CR"),
    (b"Content-Type: text/plain\ncontent-type: text/html\n\n", b"more than one Content-Type")])
def test_faults(header: bytes, fault: bytes) -> None:
    """A82: what readers of mail take in different ways."""
    assert Fields(header).fault == fault


def test_both_readings_count() -> None:
    """A82: whichever of them a reader of mail takes for the sender."""
    fields = Fields(b"From: a@b.test\nFROM\t: c@d.test\n\xa0\nfrom: e@f.test\nX-From: g\nFrom-: h\n\nFrom: the body\n")

    assert fields.values[b"from"] == [b" a@b.test", b" c@d.test", b" e@f.test"]


NAMES = st.sampled_from([b"From", b"TO", b"cc", b"Content-Type", b"X-Other", b"Received"])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), min_size=1).map(str.encode)
VALUES = st.lists(TEXT, min_size=1, max_size=3)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_fields_are_read_as_they_were_written(fields: list[tuple[bytes, list[bytes]]]) -> None:
    """Continuation lines included; in the order of writing."""
    header = b"".join(name + b": " + b"\n\t".join(value) + b"\n" for name, value in fields) + b"\n"
    expected: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        if name[:1] != b"X" and name != b"Received":
            expected.setdefault(name.lower(), []).append(b" " + b"\n\t".join(value))

    found = Fields(header)

    assert found.values == expected
    assert found.fault == b"" or found.fault.endswith((b"blanks only", b"more than one Content-Type"))


PIECES = [b"From", b":", b" ", b"\t", b"\n", b"\n", b"\r", b"\0", b"\xa0", b"a@b", b"content-type", b"("]


@given(st.lists(st.sampled_from(PIECES)).map(b"".join) | st.binary())
def test_no_header_makes_it_raise(header: bytes) -> None:
    """A82, A83, A85."""
    fields = Fields(header)
    for value in fields.values.get(b"content-type", ()):
        mime_type(value)
    assert all(byte in range(0x20, 0x7F) for byte in fields.fault)
    assert fields.count(b"from") <= header.lower().count(b"from")


@pytest.mark.parametrize(("value", "kind"), [
    (b" text/html", b"text/html"), (b' Multipart/Mixed; boundary="a/b"', b"multipart/mixed"), (b"text/plain;", b"text/plain"),
    (b"\n\ttext\n /\n html\n ; charset=utf-8", b"text/html"),
    (b" (a;b(c\\)d)) multipart (x) / (y/z) signed (;)", b"multipart/signed"),
    (b" text/html charset=utf-8", b"text/html"), (b"", b"text/plain"), (b" text", b"text/plain"), (b" /html", b"text/plain"),
    (b" text/", b"text/plain"), (b" te xt/html", b"text/plain"), (b" text/ht(", b"text/ht"), (b' "text/html"', b"text/plain"),
    (b" text/html/x", b"text/plain"), (b" ((((", b"text/plain"), (b" =?utf-8?q?text/html?=", b"text/plain")])
def test_mime_type(value: bytes, kind: bytes) -> None:
    """A82, A85."""
    assert mime_type(value) == kind


@given(st.binary(max_size=80))
def test_a_mime_type_is_two_words(value: bytes) -> None:
    assert len(mime_type(value).split(b"/")) == 2
    assert b" " not in mime_type(value)


@pytest.mark.parametrize(("text", "address", "named"), [
    (b" joe@a.test", b"joe@a.test", True),
    (b" joe@a.test", b"JOE@A.TEST", True),
    (b' "joe" <joe@a.test>, x@y.test', b"joe@a.test", True),
    (b"x@y.test,joe@a.test", b"joe@a.test", True),
    (b" friends:\n joe@a.test,x@y.test;", b"joe@a.test", True),
    (b" undisclosed-recipients:;", b"joe@a.test", False),
    (b" (joe) joe@a.test (joe)", b"joe@a.test", True),
    (b' "joe"@a.test', b"joe@a.test", True),
    (b" billy.joe@a.test", b"joe@a.test", False),
    (b" billy-joe@a.test", b"joe@a.test", False),
    (b" joe@a.test.example", b"joe@a.test", False),
    (b" joe@a.testing", b"joe@a.test", False),
    (b" joe@a.test.", b"joe@a.test", True),
    (b" joe@a.test. write soon", b"joe@a.test", True),
    (b" joe@a.test@evil.test", b"joe@a.test", False),
    (b" x@joe@a.test", b"joe@a.test", False),
    (b" joe@a.test-b.example, joe@a.test", b"joe@a.test", True),
    (b" =?utf-8?q?joe@a.test?=", b"joe@a.test", False),
    (b' "a b"@a.test', b"a b@a.test", True),
    (b' "a\\"b"@a.test', b'a"b@a.test', True),
    (b" postmaster", b"postmaster", True),
    (b" postmaster@a.test", b"postmaster", True),
    (b" postmaster.a@a.test", b"postmaster", False),
    (b" <>", b"", False),
    (b"", b"joe@a.test", False)])
def test_names_address(text: bytes, address: bytes, named: bool) -> None:
    """A61, A66, A67."""
    assert names_address(text, address) is named


LOCAL = st.lists(st.sampled_from(["joe", "a", "b", ".", "-", "+", "'"]), min_size=1, max_size=4).map("".join)
HOST = st.lists(st.sampled_from(["a", "joe", "a-b", "test"]), min_size=1, max_size=3).map(".".join)
ADDRESS = st.tuples(LOCAL, HOST).map("@".join)
FORM = st.sampled_from(["{}", "<{}>", '"Joe, Sr." <{}>', "{} (joe at a)", " =?utf-8?q?joe=40a?= <{}>", "joe <{}>", "all:{};"])


@given(st.lists(st.tuples(ADDRESS, FORM), max_size=4), ADDRESS, st.sampled_from([",", ", ", ",\n\t", " ,\n "]))
def test_an_address_is_found_when_it_is_there(listed: list[tuple[str, str]], address: str, comma: str) -> None:
    text = comma.join(form.format(each) for each, form in listed).encode()

    assert names_address(text, address.encode()) == (address in [each for each, _ in listed])


def steps(header: bytes, recipient: bytes) -> int:
    """Lines of Python that reading a header takes, the address being looked for in all that was kept."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for values in Fields(header).values.values():
            for value in values:
                mime_type(value)
                names_address(value, recipient)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("bomb", [
    b"a", b"a:\n", b" \n", b"To:\n", b"To: a@a\n", b"Content-Type: (((\n"])
def test_as_many_steps_as_lines(bomb: bytes) -> None:
    """A83, A85: twice the header takes twice the steps."""
    assert steps(bomb * 2000, b"a@a") <= 2 * steps(bomb * 1000, b"a@a") + 50


@pytest.mark.parametrize("bomb", [
    b"(", b"()", b"(\\", b"a@a", b"a@a.", b"/", b";", b'"', b'"a"@a', b" a@ab", b"; x*0=", b"=?a?q?a?= ", b"\n (", b"a@a@"])
@pytest.mark.parametrize("name", [b"To: ", b"Content-Type: ", b"Content-Type: multipart/mixed"])
def test_as_many_steps_as_bytes(name: bytes, bomb: bytes) -> None:
    """A83, A85: comments within comments, parameters and encoded words without end."""
    assert steps(name + bomb * 2000, b"a@a") <= 2 * steps(name + bomb * 1000, b"a@a") + 50
