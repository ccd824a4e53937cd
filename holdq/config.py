"""The settings of holdq-queue and of the runner: control/name, or NAME in the environment, which wins.

The tables here are those of holdq-queue(8) and holdq(8).  holdq-queue imports this module: nothing dear here.
"""

import pwd

from qsmtpd.qmail import env
from qsmtpd.qmail.control import ControlError, digits
from qsmtpd.qmail.settings import Setting, Settings

QUEUE_SETTINGS = (
    Setting("holdq", None, "The spool; default: $QMAILHOME/holdq."),
    Setting("holdqnetwork", b"qmaild", 'The user, or its number, whose mail is "from network" in the Received field.'),
)
"""What holdq-queue reads."""

RUN_SETTINGS = (
    *QUEUE_SETTINGS,
    Setting("holdqtarget", b"maildir", 'Where mail goes: maildir, queue, or a "|" and a program with its arguments.'),
    Setting("holdqnext", None, "The queue program of the target queue; default: $QMAILHOME/bin/qmail-queue."),
    Setting("holdqload", 0, "No delivery while the 1-minute load average is above this; 0: twice the number of processors."),
    Setting("holdqmemory", 64, "No delivery while less than this many MiB of memory are available; 0: do not ask."),
    Setting("holdqtimeout", 3600, 'Seconds that a program of the target "|" may take.'),
    Setting("queuelifetime", 604800, "Seconds after which mail that still cannot be delivered goes to dead/."),
)
"""What holdq run reads."""

RUNNING = "HOLDQ_RUNNING"
"""In the environment of the queue program that a runner starts: the runner's spool."""
USERS = "holdqusers"
"""The list of the target maildir, a file in the control directory."""


def spool_directory(settings: Settings) -> str:
    """Where the spool is."""
    directory = settings.text("holdq")
    return directory.decode("utf-8", "surrogateescape") if directory else f"{env.qmail_home()}/holdq"


def network_uid(settings: Settings) -> int:
    """The uid whose mail comes from the network; -1, which nobody has, when there is no such account here.

    Raises:
        ControlError: a number that is none.
    """
    name = settings.text("holdqnetwork") or b""
    if name.isdigit():
        try:
            return digits(name)
        except ValueError as error:
            raise ControlError(f"holdqnetwork: {error}") from error
    try:
        return pwd.getpwnam(name.decode("ascii", "replace")).pw_uid
    except KeyError:
        return -1
