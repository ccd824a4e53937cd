"""The environment that tcpserver, sslserver and qmail hand on: the only place that reads it.

tcp-environ(5) warns that TCPREMOTEHOST and TCPREMOTEINFO "can contain arbitrary characters": every value here is hostile
bytes, and whoever writes one into a header, a log or a reply uses the encoder of that place.

posix, here and in the modules beside this one: os, which wraps it, costs a short-lived program more than a millisecond.
"""

import posix


def get(name: str) -> bytes | None:
    """The value of a variable, None when it is not set."""
    return posix.environ.get(name.encode())


def without(*names: str) -> dict[bytes, bytes]:
    """A copy of the environment without the named variables, for a program that we start."""
    dropped = {name.encode() for name in names}
    return {name: value for name, value in posix.environ.items() if name not in dropped}


def put(name: str, value: str) -> None:
    """Set a variable for the programs that we start from now on, and for ourselves."""
    posix.environ[name.encode()] = value.encode("utf-8", "surrogateescape")


def qmail_home() -> str:
    """QMAILHOME, by default /var/qmail."""
    return _path("QMAILHOME") or "/var/qmail"


def control_directory() -> str:
    """CONTROLDIR, by default $QMAILHOME/control."""
    return _path("CONTROLDIR") or f"{qmail_home()}/control"


def _path(name: str) -> str | None:
    value = get(name)
    return None if value is None else value.decode("utf-8", "surrogateescape")


class Peer:
    """Who is connected to whom, from tcp-environ(5); all values are bytes, None where the variable is not set or empty.

    ip      the client's address; an IPv4-mapped IPv6 address is given as IPv4; b"unknown" when nobody said
    host    the client's name as the server program looked it up
    info    what the client's ident server said
    local   our name or address on this connection (IPv4-mapped as above), b"unknown" when nobody said
    local_ip         our address (IPv4-mapped as above), b"unknown" when nobody said
    port, local_port  the client's port and ours
    """

    __slots__ = ("host", "info", "ip", "local", "local_ip", "local_port", "port")

    def __init__(
            self, ip: bytes, host: bytes | None, info: bytes | None, local: bytes, *, local_ip: bytes = b"unknown",
            port: bytes | None = None, local_port: bytes | None = None,
    ) -> None:
        self.ip = ip
        self.host = host
        self.info = info
        self.local = local
        self.local_ip = local_ip
        self.port = port
        self.local_port = local_port


def peer(variable: "Callable[[str], bytes | None]" = get) -> Peer:
    """The Peer of some variables, this process's by default; if PROTO is TCP6 (ucspi-tcp6, s/qmail) the TCP6 names win."""
    six = variable("PROTO") == b"TCP6"

    def named(name: str) -> bytes | None:
        return (variable(f"TCP6{name}") if six else None) or variable(f"TCP{name}") or None

    local_ip = unmapped(named("LOCALIP") or b"unknown")
    return Peer(
        ip=unmapped(named("REMOTEIP") or b"unknown"),
        host=named("REMOTEHOST"),
        info=named("REMOTEINFO"),
        local=named("LOCALHOST") or local_ip,
        local_ip=local_ip,
        port=named("REMOTEPORT"),
        local_port=named("LOCALPORT"))


def unmapped(ip: bytes) -> bytes:
    """An IPv4-mapped address (RFC 4291 2.5.5.2, "::ffff:192.0.2.1") as IPv4; any other as it is."""
    return ip[7:] if ip[:7].lower() == b"::ffff:" and b"." in ip else ip


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
