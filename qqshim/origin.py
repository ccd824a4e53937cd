"""Who calls us: the server program, whose environment tells the truth about the client, or somebody who may set it as he likes.

The environment is believed when our uid is that of the account which tcpserver runs qmail-smtpd under: qmaild, or whom
control/qquser names; no variable can.  Where all runs under one account, that is the owner of the control directory, and PROTO
tells a server program from the owner by hand.  Anybody else is a person or a program of this machine; it could name any client,
and its stderr is no log but a terminal, or a delivery report of qmail-local.
"""

import os
import pwd

from qsmtpd.qmail import env

SERVER_ACCOUNT = b"qmaild"
ACCOUNT_FILE = "qquser"

SERVER, OWNER, STRANGER = "server", "owner", "stranger"
"""The account of the server program; the owner of the control directory, a server program when PROTO is set; all others."""


class Origin:
    """Where a message comes from.

    server   a server program calls: stderr is its log
    client   the address of the SMTP client; None when there is none, or the environment is not believed
    host     its name, as the server program looked it up; None as for client
    relay    the client may relay: RELAYCLIENT is set; None as for client
    session  qsmtpd calls, which has carried out the rules of the site as far as it could
    told     what it says of the words of the rules (QQTAGS); None when no rule is left that concerns us
    """

    __slots__ = ("client", "host", "relay", "server", "session", "told")

    def __init__(
            self, *, server: bool, client: bytes | None = None, host: bytes | None = None, relay: bool | None = None,
            told: bytes | None = None, session: bool = False,
    ) -> None:
        self.server = server
        self.client = client
        self.host = host
        self.relay = relay
        self.session = session
        self.told = told


NOBODY = Origin(server=False)


def origin(variable: "Callable[[str], bytes | None]", trust: str) -> Origin:
    """The origin of a message.

    variable  gives the value of a variable of the caller's
    trust     what trust() says
    """
    if trust == STRANGER or (trust == OWNER and variable("PROTO") is None):
        return NOBODY
    told = variable("QQTAGS")
    session = told is not None or variable("QQREPLY") is not None
    peer = env.peer(variable)
    if peer.ip == b"unknown":
        return Origin(server=True, told=told, session=session)
    return Origin(
        server=True, client=peer.ip, host=peer.host, relay=variable("RELAYCLIENT") is not None, told=told, session=session)


def trust(control: "Control") -> str:
    """Who we are, and so whether the environment is believed: SERVER, OWNER or STRANGER.

    Raises:
        ControlError: control/qquser cannot be read.
    """
    uid = os.getuid()
    if _owner(control.directory) == uid:
        return OWNER
    account = control.line(ACCOUNT_FILE) or SERVER_ACCOUNT
    try:
        return SERVER if pwd.getpwnam(os.fsdecode(account)).pw_uid == uid else STRANGER
    except KeyError:
        return STRANGER


def _owner(directory: str) -> int | None:
    try:
        return os.stat(directory).st_uid
    except OSError:
        return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qsmtpd.qmail.control import Control
