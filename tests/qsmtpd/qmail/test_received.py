"""Received lines, against strings written down from the rules of received.c and date822fmt.c."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.qmail import received
from qsmtpd.qmail.env import Peer

NOW = 1795262400.0  # 21 Nov 2026 12:00:00


def smtp(helo: bytes | None, host: bytes | None = b"h.example", info: bytes | None = None, ip: bytes = b"192.0.2.1") -> bytes:
    return received.smtp(Peer(ip, host, info, b"mx.example"), helo, b"ESMTP", NOW)


@pytest.mark.parametrize(("now", "text"), [
    (0, b"1 Jan 1970 00:00:00 -0000"),
    (812090814, b"26 Sep 1995 04:46:54 -0000"),
    (951782399, b"28 Feb 2000 23:59:59 -0000"),
    (951782400, b"29 Feb 2000 00:00:00 -0000"),
    (NOW, b"21 Nov 2026 12:00:00 -0000"),
    (NOW + 0.999, b"21 Nov 2026 12:00:00 -0000"),
    (2147483648, b"19 Jan 2038 03:14:08 -0000"),
    (1798761599, b"31 Dec 2026 23:59:59 -0000"),
])
def test_dates(now: float, text: bytes) -> None:
    """A141: 1970 at boot and 2038 are dates like others."""
    assert text == received.date(now)


def test_every_month() -> None:
    found = [received.date(NOW + (month - 10) * 30.44 * 86400).split()[1] for month in range(12)]

    assert found == b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def test_named() -> None:
    assert smtp(b"other.example", info=b"7") == (
        b"Received: from h.example (HELO other.example) (7@192.0.2.1)\n"
        b"  by mx.example with ESMTP; 21 Nov 2026 12:00:00 -0000\n")


@pytest.mark.parametrize("helo", [b"h.example", b"H.Example", None])
def test_helo_is_named_only_when_it_is_another(helo: bytes | None) -> None:
    assert smtp(helo) == (
        b"Received: from h.example (192.0.2.1)\n"
        b"  by mx.example with ESMTP; 21 Nov 2026 12:00:00 -0000\n")


def test_no_host_is_unknown() -> None:
    assert smtp(b"x", host=None).startswith(b"Received: from unknown (HELO x) (192.0.2.1)\n")
    assert smtp(b"UNKNOWN", host=None).startswith(b"Received: from unknown (192.0.2.1)\n")


def test_empty_helo() -> None:
    """A40: nothing is indexed, nothing is left out."""
    assert smtp(b"").startswith(b"Received: from h.example (HELO ) (192.0.2.1)\n")


@pytest.mark.parametrize(("helo", "shown"), [
    (b"a\x1b[2J)\rX-Forged: yes", b"a?[2J??X-Forged:?yes"),
    (b"x) (root@[127.0.0.1]", b"x???root@[127.0.0.1]"),
    (b'a\nb\0c\td e_f,g;h"i\\j<k>l(m)', b"a?b?c?d?e?f?g?h?i?j?k?l?m?"),
    (b"\x80\xff\xe2\x80\xa8\xc2\x85", b"???????"),
    (b"a-Z0.9@%+/=:-[]", b"a-Z0.9@%+/=:-[]"),
])
def test_forging_by_helo(helo: bytes, shown: bytes) -> None:
    """A40, A43."""
    assert smtp(helo).startswith(b"Received: from h.example (HELO " + shown + b") (192.0.2.1)\n")


def test_forging_by_name_and_ident() -> None:
    """A41."""
    assert smtp(None, host=b"h\r\nX-Forged: y", info=b"i\nX-Forged: y", ip=b"1\n2").startswith(
        b"Received: from h??X-Forged:?y (i?X-Forged:?y@1?2)\n  by ")


def test_long_values_are_cut() -> None:
    """A40, A41: 2,000 bytes of HELO and a PTR of 5 KB leave both lines within 998."""
    text = smtp(b"h" * 2000, host=b"p" * 5000, info=b"i" * 2000, ip=b"2001:db8:1111:2222:3333:4444:5555:6666")

    assert text.startswith(b"Received: from " + b"p" * 255 + b" (HELO " + b"h" * 255 + b") (" + b"i" * 255 + b"@2001:")
    assert max(len(line) for line in text.split(b"\n")) <= 998


@given(st.binary(), st.binary(), st.binary(), st.binary(), st.binary())
def test_always_two_lines_of_printable_ascii(host: bytes, info: bytes, ip: bytes, local: bytes, helo: bytes) -> None:
    """A40, A41: whatever the network says."""
    text = received.smtp(Peer(ip, host, info, local), helo, b"SMTP", NOW)

    first, second, rest = text.split(b"\n")
    assert rest == b""
    assert first.startswith(b"Received: from ")
    assert second.startswith(b"  by ")
    assert all(0x20 <= byte < 0x7F for byte in first + second)


def test_queue_programs() -> None:
    assert received.queue(b"holdq", 77, 64011, 64011, NOW) == (
        b"Received: (holdq 77 invoked from network); 21 Nov 2026 12:00:00 -0000\n")
    assert received.queue(b"holdq", 77, 1000, 64011, NOW) == (
        b"Received: (holdq 77 invoked by uid 1000); 21 Nov 2026 12:00:00 -0000\n")
