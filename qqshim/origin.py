"""Who calls us: the server program, whose environment tells the truth about the client, or somebody who may set it as he likes.

The environment is believed when our uid is that of the account qmaild, which tcpserver runs qmail-smtpd under.  Where all runs
under one account, that is the owner of the control directory, and PROTO tells a server program from the owner by hand.
Anybody else is a person or a program of this machine; it could name any client, and its stderr is no log but a terminal, or a
delivery report of qmail-local.
"""

import os
import pwd

from qsmtpd.qmail import env

SERVER_ACCOUNT = "qmaild"


class Origin:
    """Where a message comes from.

    server  a server program calls: stderr is its log
    client  the address of the SMTP client; None when there is none, or the environment is not believed
    relay   the client may relay: RELAYCLIENT is set; None as for client
    """

    __slots__ = ("client", "relay", "server")

    def __init__(self, *, server: bool, client: bytes | None, relay: bool | None) -> None:
        self.server = server
        self.client = client
        self.relay = relay


def origin(control_directory: str) -> Origin:
    """The origin of the message that this process is given."""
    if not _believed(control_directory):
        return Origin(server=False, client=None, relay=None)
    client = env.peer().ip
    if client == b"unknown":
        return Origin(server=True, client=None, relay=None)
    return Origin(server=True, client=client, relay=env.get("RELAYCLIENT") is not None)


def _believed(control_directory: str) -> bool:
    uid = os.getuid()
    if _owner(control_directory) == uid:
        return env.get("PROTO") is not None
    try:
        return pwd.getpwnam(SERVER_ACCOUNT).pw_uid == uid
    except KeyError:
        return False


def _owner(directory: str) -> int | None:
    try:
        return os.stat(directory).st_uid
    except OSError:
        return None
