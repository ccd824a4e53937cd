"""Who calls us: the server program, whose environment tells the truth about the client, or somebody who may set it as he likes.

The environment is believed when our uid is that of the account qmaild, which tcpserver runs qmail-smtpd under, or that of the
owner of the control directory (a site where everything runs under one account).  Under any other uid a person or a program of
this machine sends; it could name any client, and its stderr is no log but a terminal, or a delivery report of qmail-local.
"""

import os

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
    try:
        if os.stat(control_directory).st_uid == uid:
            return True
    except OSError:
        pass
    import pwd  # noqa: PLC0415  a one-account site does not need it

    try:
        return pwd.getpwnam(SERVER_ACCOUNT).pw_uid == uid
    except KeyError:
        return False
