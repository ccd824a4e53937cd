"""Who a client is, as far as his connection and the DNS can tell: what tcpserver puts into TCPREMOTEIP and its like."""

import asyncio

from ..checks.base import LookupFailedError
from ..lookups.warm import Warm
from ..netblock import reverse
from ..qmail import env
from ..qmail.env import Peer
from .options import Options


class Peers:
    """What -l, -h, -H and -p ask for.

    ask  there is something to be looked up about each client
    """

    __slots__ = ("_local_name", "_ours", "_own_names", "_paranoid", "_remote", "ask")

    def __init__(self, options: Options) -> None:
        self._local_name = options.local_name
        self._remote = options.host_lookup
        self._paranoid = options.paranoid
        self._own_names: dict[bytes, bytes] = {}
        self._ours: dict[tuple[str, int], tuple[bytes, bytes]] = {}  # for all connections the same bytes
        self.ask = options.host_lookup or options.local_name is None

    def peer(self, transport: asyncio.Transport) -> Peer | None:
        """What the connection says; None when the client has reset it before we had it."""
        there, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if there is None:
            return None
        local = self._ours.get(here)
        if local is None:
            local = self._ours[here] = env.unmapped(here[0].encode()), b"%d" % here[1]
        ip, name = env.unmapped(there[0].encode()), self._local_name or local[0]
        return Peer(ip, None, None, name, local_ip=local[0], port=b"%d" % there[1], local_port=local[1])

    async def look_up(self, peer: Peer, warm: Warm) -> None:
        """The names, where they are asked for."""
        if self._local_name is None:
            peer.local = await self._own_name(peer.local_ip, warm)
        if self._remote:
            peer.host = await host_name(peer.ip, warm, paranoid=self._paranoid)

    def forget(self) -> None:
        """Ask for our own names again (HUP)."""
        self._own_names.clear()

    async def _own_name(self, ip: bytes, warm: Warm) -> bytes:
        """TCPLOCALHOST: what the DNS calls our address, or the address."""
        if ip not in self._own_names:
            self._own_names[ip] = await host_name(ip, warm, paranoid=False) or ip
        return self._own_names[ip]


async def host_name(ip: bytes, warm: Warm, *, paranoid: bool) -> bytes | None:
    """TCPREMOTEHOST; with -p only a name that leads back."""
    dns = warm.dns_of_session()
    try:
        names = await dns.ask(reverse(ip), "PTR")
        for name in names[:1]:
            if not paranoid or ip in await dns.ask(name, "AAAA" if b":" in ip else "A"):
                return name
    except (LookupFailedError, ValueError):
        pass
    return None
