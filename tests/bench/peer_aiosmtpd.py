"""aiosmtpd on uvloop, as its users write such a server: peer_aiosmtpd.py RECIPIENTS.cdb.  Prints its port.

Recipients are looked up in the cdb that our own programs read; messages are dropped.
"""

import asyncio
import socket
import sys

import cdbx
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session


class Handler:
    """Takes mail for those who exist."""

    def __init__(self, recipients: cdbx.CDB) -> None:
        self.recipients = recipients

    async def handle_RCPT(  # noqa: N802  the name that aiosmtpd looks for
            self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        """The reply to RCPT."""
        if address.lower().encode() not in self.recipients:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The reply to a message."""
        return "250 2.0.0 ok"


async def serve(path: str) -> None:
    """Until SIGTERM."""
    handler = Handler(cdbx.CDB(path))
    # The protocol is named: on a socket without one asyncio leaves Nagle's delay on, and each session stalls for 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="mx.bench.test", ident="ESMTP"), sock=listener, backlog=1024)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
