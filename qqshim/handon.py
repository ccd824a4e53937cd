"""Handing the message on: this process becomes the next queue program, with the message on descriptor 0, the envelope on 1.

The process id stays, so that "qp" in the SMTP reply is the one in qmail's log, and so does the caller's error channel, for
the next program may have something to say.  From here on it alone answers for the message: its exit code is ours.
"""

import os
from _signal import SIG_IGN, SIGPIPE, alarm, signal

from qsmtpd.qmail import env
from qsmtpd.qmail.exitcodes import CONFIGURATION
from qsmtpd.qmail.process import exec_program

from .faults import ShimError
from .receive import Mail
from .spool import Spool

MARK = "QQSHIM_PID"
"""In the environment of the next program: our process id, by which a chain that leads back to us is seen."""


def is_loop() -> bool:
    """This very process was qqshim before."""
    return env.get(MARK) == b"%d" % os.getpid()


def prepare(mail: Mail, fields: bytes, directory: bytes) -> None:
    """Put the message, our fields on its top, on descriptor 0, and the envelope on 1: files at their beginnings.

    Raises:
        ShimError: no room for the message.
    """
    whole = Spool(directory)
    whole.write(fields)
    whole.append(mail.message)
    whole.become(0)
    mail.envelope.become(1)
    for spool in (whole, mail.message, mail.envelope):
        spool.close()


def become(program: str) -> None:
    """Become the next program; returns never.

    Raises:
        ShimError: 55: it cannot be executed.
    """
    environment = env.without("QMAILQUEUE", "QQTAGS")
    environment[MARK.encode()] = b"%d" % os.getpid()
    alarm(0)
    try:
        exec_program(program, [], environment)
    except OSError as error:
        signal(SIGPIPE, SIG_IGN)
        raise ShimError(CONFIGURATION, f"{program}: {error.strerror}") from error
