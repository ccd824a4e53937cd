"""Where log lines go: to stderr where that is a server's log, else to syslog.

On stderr of anybody else a line would be an answer to a person, part of a delivery report, or, where the caller's error
channel is descriptor 2, the words of the SMTP reply.
"""

import os

from qsmtpd.qmail import logline

SYSLOG_SOCKET = "/dev/log"
MAIL_INFO = 2 << 3 | 6
"""Facility mail, level info (RFC 3164)."""


def write(event: str, pairs: "logline.Pairs", *, on_stderr: bool) -> None:
    """Write one line at once.  A log that cannot be written must not stop mail: failure is ignored."""
    if on_stderr:
        logline.write(event, pairs)
        return
    import _socket  # noqa: PLC0415  mail from the network does not need it

    datagram = b"<%d>qqshim[%d]: %b" % (MAIL_INFO, os.getpid(), logline.format_line(event, pairs).removesuffix(b"\n"))
    try:
        syslog = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    except OSError:
        return
    try:
        syslog.setblocking(False)
        syslog.connect(SYSLOG_SOCKET)
        syslog.send(datagram)
    except OSError:
        pass
    finally:
        syslog.close()
