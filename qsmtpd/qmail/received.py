"""The Received line that qmail-smtpd writes (received.c), and its dates (date822fmt.c)."""

import time

from .env import Peer

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAFE = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@%+/=:-[]"
_NOT_SAFE = bytes.maketrans(b"", b"").translate(None, _SAFE)
_TO_SAFE = bytes.maketrans(_NOT_SAFE, b"?" * len(_NOT_SAFE))


SAFE_MAX = 255
"""Bytes of a value that are kept: no host name is longer, and three and an address fit a line of 998 (RFC 5322 2.1.1)."""


def safe(value: bytes) -> bytes:
    """The value as received.c's safeput() writes it: whatever could break a header line becomes "?"."""
    return value[:SAFE_MAX].translate(_TO_SAFE)


def date(now: float) -> bytes:
    """"21 Nov 2026 12:00:00 -0000": seconds since 1970 as qmail writes them, no weekday, day not padded."""
    t = time.gmtime(now)
    return b"%d %b %d %02d:%02d:%02d -0000" % (t[2], _MONTHS[t[1] - 1].encode(), t[0], t[3], t[4], t[5])


def smtp(peer: Peer, helo: bytes | None, protocol: bytes, now: float) -> bytes:
    """The field that an SMTP daemon puts before the message, two lines, LF ends them.

    helo      what the client said, None before HELO; named only when it is not the host's name, letter case aside
    protocol  the word after "with" (RFC 3848, RFC 6531)
    """
    host = b"unknown" if peer.host is None else peer.host
    said = b"" if helo is None or helo.lower() == host.lower() else b" (HELO %b)" % safe(helo)
    ident = b"" if peer.info is None else b"%b@" % safe(peer.info)
    return b"Received: from %b%b (%b%b)\n  by %b with %b; %b\n" % (
        safe(host), said, ident, safe(peer.ip), safe(peer.local), protocol, date(now))


def queue(program: bytes, number: int, uid: int, network_uid: int, now: float) -> bytes:
    """The field of a queue program: "Received: (holdq 77 invoked from network); date" or "... by uid 1000"."""
    invoker = b"from network" if uid == network_uid else b"by uid %d" % uid
    return b"Received: (%b %d invoked %b); %b\n" % (program, number, invoker, date(now))
