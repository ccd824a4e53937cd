"""qsmtpd: one SMTP session on descriptors 0 and 1, under tcpserver, sslserver, tcpsvd or s6-tcpserver (qsmtpd(8))."""

import posix
import time
from posix import _exit

from . import replies
from .checks.base import Mail
from .config import Config
from .drivers.conversation import Conversation
from .drivers.journal import Journal
from .drivers.stdio import DescriptorWire
from .lookups.blocking import BlockingLookups
from .policy import Policy
from .qmail import env, logline, process
from .qmail.control import Control
from .replies import Reply
from .rules.atonce import complete
from .session import Session


def main() -> None:
    """Ends the process: 0 after QUIT, 1 otherwise, as qmail-smtpd does.

    By _exit: an interpreter's own end costs 1.4 ms, and turns a log that cannot be written into an exit code.
    """
    process.prepare()
    identity = f"{int(time.time())}.{posix.getpid()}"
    try:
        ended_well = serve(identity)
    except Exception as error:  # before the greeting, whatever it is: the client comes again
        ended_well = False
        logline.write("fault", [("id", identity), ("why", f"{type(error).__name__}: {error}".encode("utf-8", "replace"))])
        say(replies.CONTROLS)
    _exit(0 if ended_well else 1)


def say(reply: Reply) -> None:
    """To a client who may be gone."""
    try:
        posix.write(1, reply.wire)
    except OSError:
        pass


def serve(identity: str) -> bool:
    """Serve one client; True when it said QUIT.

    Raises:
        ControlError, OSError: what has to be read before the greeting cannot be.
    """
    home, control_directory = env.qmail_home(), env.control_directory()
    posix.chdir(home)
    control = Control(control_directory)
    control.take_stock()
    config = Config(control)
    peer = env.peer()
    wire = DescriptorWire(config.timeoutsmtpd, config.session_timeout)
    journal = Journal(identity, logline.write_all)
    seed = config.ruleseed and b"%b %b %b" % (config.ruleseed, peer.ip, peer.port or b"")
    lookups = BlockingLookups(
        control, home, now=time.time(), note=journal.note_lookup, early=wire.early, seed=seed)
    policy = Policy(config, Mail(peer, env.get), lookups, journal.note_rule)
    session = Session(config.replies.goodbye, config.databytes, config.maxnotimpl)
    conversation = Conversation(
        session=session, policy=policy, peer=peer, wire=wire, queue=lambda: queue(config), journal=journal,
        own_fields=config.rules.fields(), cpu_ms=cpu_ms)
    ended_well = complete(conversation.run())
    complete(lookups.finish(wire.let_go))
    return ended_well


def queue(config: Config) -> "BlockingQueue":
    """For the messages of a session."""
    from .drivers.blockingqueue import BlockingQueue  # noqa: PLC0415 - most sessions of a busy server never get so far

    return BlockingQueue(_path(env.get("QMAILQUEUE") or b"bin/qmail-queue"), _path(config.holdqueue))


def cpu_ms() -> int:
    """What this process has cost, which serves one session."""
    return int(time.process_time() * 1000)


def _path(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .drivers.blockingqueue import BlockingQueue
