"""Handing the message on: this process becomes the next queue program, with the message on descriptor 0, the envelope on 1.

The process id stays, so that "qp" in the SMTP reply is the one in qmail's log, and so does the caller's error channel, for
the next program may have something to say.  From here on it alone answers for the message: its exit code is ours.
A service cannot become another program: it starts it (nextprogram.py), with the same descriptors and variables.
"""

import os
from _signal import SIG_IGN, SIGPIPE, alarm, signal

from qsmtpd.qmail import env
from qsmtpd.qmail.exitcodes import CONFIGURATION
from qsmtpd.qmail.process import exec_program

from .faults import ShimError
from .spool import Spool

MARK = "QQSHIM_PID"
"""In the environment of the next program: our process id, by which a chain that leads back to us is seen."""
NOT_FOR_THE_NEXT = (b"QMAILQUEUE", b"QQTAGS")


def surroundings(environment: "Mapping[bytes, bytes]") -> dict[bytes, bytes]:
    """The environment of the next program, made of our caller's."""
    made = {name: value for name, value in environment.items() if name not in NOT_FOR_THE_NEXT}
    made[MARK.encode()] = b"%d" % os.getpid()
    return made


def assemble(mail: "Mail", fields: bytes, directory: bytes) -> Spool:
    """The message with our fields on its top.

    Raises:
        ShimError: no room for it.
    """
    whole = Spool(directory)
    whole.write(fields)
    whole.append(mail.message)
    return whole


def become(program: str) -> None:
    """Become the next program; returns never.

    Raises:
        ShimError: 55: it cannot be executed.
    """
    environment = surroundings(env.without())
    alarm(0)
    try:
        exec_program(program, [], environment)
    except OSError as error:
        signal(SIGPIPE, SIG_IGN)
        raise ShimError(CONFIGURATION, f"{program}: {error.strerror}") from error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .receive import Mail
