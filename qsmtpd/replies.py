"""Every reply of the SMTP session, as a constant; texts are qmail-smtpd's where it has one.

The enhanced status code (RFC 3463) stands first in the text, as RFC 2034 wants it, not "(#5.7.1)" at its end; the greeting and
the answers to HELO and EHLO have none.  docs/compatibility.md has a row for each code that is not qmail-smtpd's.
"""

LINE_MAX = 510
"""Bytes of a reply line without its CR LF (RFC 5321 section 4.5.3.1.5)."""

_BYTES = bytes.maketrans(b"", b"")
_NOT_PRINTABLE = _BYTES[:0x20] + _BYTES[0x7F:]
_TO_PRINTABLE = bytes.maketrans(_NOT_PRINTABLE, b"?" * len(_NOT_PRINTABLE))


class Reply:
    """A reply, ready for the wire: whatever the text holds, what is sent is one code and lines of printable ASCII.

    code    250, 354, 553 ...
    status  5.7.1 ..., "" for none
    lines   the text, a line each
    closes  the connection is closed after it
    positive  2yz or 3yz (RFC 5321 section 4.2.1)
    """

    __slots__ = ("_wire", "closes", "code", "lines", "positive", "status")

    def __init__(self, code: int, status: str, *lines: str | bytes, closes: bool = False) -> None:
        self.code = code
        self.closes = closes or code == 421
        self.positive = code < 400
        self.status = status
        self.lines = lines
        self._wire = b""

    @property
    def wire(self) -> bytes:
        """The bytes to send, all lines, each ended by CR LF; made when they are first asked for, for few of all are."""
        if not self._wire:
            prefix = f"{self.status} ".encode() if self.status else b""
            *texts, last = [(prefix + _printable(line))[:LINE_MAX - 4] for line in self.lines]
            self._wire = b"".join([b"%d-%b\r\n" % (self.code, text) for text in texts]) + b"%d %b\r\n" % (self.code, last)
        return self._wire

    def __repr__(self) -> str:
        return f"Reply({self.wire!r})"


def _printable(text: str | bytes) -> bytes:
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    return raw.translate(_TO_PRINTABLE)


OK = Reply(250, "2.0.0", "ok")
MAIL_OK = Reply(250, "2.1.0", "ok")
RCPT_OK = Reply(250, "2.1.5", "ok")
FLUSHED = Reply(250, "2.0.0", "flushed")
GO_AHEAD = Reply(354, "", "go ahead")
VRFY = Reply(252, "2.1.5", "send some mail, i'll try my best")
HELP = Reply(214, "2.0.0", "see RFC 5321, or ask the postmaster")

UNIMPLEMENTED = Reply(502, "5.5.1", "unimplemented")
MAIL_FIRST = Reply(503, "5.5.1", "MAIL first")
RCPT_FIRST = Reply(503, "5.5.1", "RCPT first")
SYNTAX = Reply(555, "5.5.4", "syntax error")
ADDRESS_WANTS_UTF8 = Reply(553, "5.6.7", "sorry, an address that is not ASCII wants SMTPUTF8, and has to be UTF-8")
LINE_TOO_LONG = Reply(500, "5.5.2", "line too long")
STRAY_NEWLINE = Reply(451, "4.5.2", "See https://cr.yp.to/docs/smtplf.html.", closes=True)
NOT_SMTP = Reply(554, "5.5.1", "this is an SMTP server", closes=True)
TOO_MUCH_TALK = Reply(421, "4.7.0", "too many commands without mail, goodbye")
TOO_LONG_LINES = Reply(421, "4.7.0", "too many long lines, goodbye")

UNVERIFIED = Reply(451, "4.4.3", "sorry, unable to verify that recipient now, try again later")

DOUBLE_BOUNCE = Reply(553, "5.1.7", "sorry, this sender is for double bounces of this host alone")
NO_GATEWAY = Reply(553, "5.7.1", "sorry, that domain isn't in my list of allowed rcpthosts")
NO_MAILBOX = Reply(550, "5.1.1", "sorry, no mailbox here by that name")
TOO_BIG = Reply(552, "5.3.4", "sorry, that message size exceeds my databytes limit")
LOOPING = Reply(554, "5.4.6", "too many hops, this message is looping")

TIMEOUT = Reply(451, "4.4.2", "timeout", closes=True)
CONTROLS = Reply(421, "4.3.0", "unable to read controls")
NO_QUEUE = Reply(451, "4.3.0", "unable to exec qq")
OUT_OF_MEMORY = Reply(421, "4.3.0", "out of memory")
NO_ROOM = Reply(451, "4.3.2", "sorry, too busy at the moment, try again later")
TOO_BUSY = Reply(421, "4.3.2", "sorry, too busy at the moment, try again later")
TOO_MANY_CONNECTIONS = Reply(421, "4.3.2", "sorry, too many connections, try again later")
SHUTDOWN = Reply(421, "4.3.2", "going down, try again later")
INTERNAL = Reply(421, "4.3.0", "internal trouble, try again later")


class OfSite:
    """The replies that begin with the name of a site, which makes them once.

    greeting        220, with our name as its first word
    hello, extended_hello  the answers to HELO and EHLO
    goodbye         the answer to QUIT
    """

    __slots__ = ("extended_hello", "goodbye", "greeting", "hello")

    def __init__(self, name: bytes, size: int) -> None:
        """name  control/smtpgreeting; size  for EHLO, 0 for "no fixed limit" (RFC 1870 section 4)"""
        self.greeting = Reply(220, "", name + b" ESMTP")
        self.hello = Reply(250, "", name)
        self.extended_hello = Reply(
            250, "", name, "PIPELINING", f"SIZE {size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        self.goodbye = Reply(221, "2.0.0", name, closes=True)


def queued(now: float, number: int) -> Reply:
    """qmail-smtpd's words, which log tools and people look for: "ok 1795262400 qp 4711"."""
    return Reply(250, "2.0.0", f"ok {int(now)} qp {number}")

