"""What may stand in a command line, and what shows that it is not SMTP at all."""

COMMAND_MAX = 2048
"""Bytes of a command line with its CR LF.  RFC 5321 section 4.5.3.1.4 wants 512; qmail takes addresses of 900 bytes."""

FOREIGN = frozenset((
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH", b"PRI", b"INVITE", b"REGISTER"))
"""Verbs of HTTP and SIP: a browser made to talk to us must not reach the mail commands that hide in its request (ALPACA)."""

TLS_RECORD = b"\x16\x03"
"""What stands where a line would begin when the client speaks TLS; that need not hold a line end."""


def is_foreign(verb: bytes) -> bool:
    """Whether the line comes from a client of another protocol."""
    return verb in FOREIGN or verb.startswith(b"SSH-")
