"""The lines that tcpserver -v writes, byte for byte, for the programs that read its log.

There a number is a process id; here it is a worker's and the connection's in that worker, 1234000017 for the 17th of 1234.
"""

_ROUND = 1000000
_FIELD_MAX = 100
"""tcpserver.c cuts a field here, and says so."""

_SAFE = bytes(byte if 33 <= byte <= 126 and byte not in b"%:" else ord("?") for byte in range(256))
_SAFE_ADDRESS = bytes(byte if byte == ord(":") else _SAFE[byte] for byte in range(256))


def number(pid: int, count: int) -> int:
    """The number of a worker's connection; after a million they begin again."""
    return pid * _ROUND + count % _ROUND


def status(connections: int, limit: int) -> bytes:
    """How many connections there are, when that has changed."""
    return b"tcpserver: status: %d/%d\n" % (connections, limit)


def start(number: int, ip: bytes) -> bytes:
    """A connection has come."""
    return b"tcpserver: pid %d from %b\n" % (number, _address(ip))


def verdict(
        number: int, *, allowed: bool, local_host: bytes | None, local_ip: bytes, local_port: int,
        host: bytes | None, ip: bytes, info: bytes | None, port: int,
) -> bytes:
    """The rules let it in, or do not; the names are None when they are not known.

    Of an IPv6 address the colons stay, as with the IPv6 version of tcpserver; an IPv4 address is written as by the other one.
    """
    return b"tcpserver: %b %d %b:%b:%d %b:%b:%b:%d\n" % (
        b"ok" if allowed else b"deny", number, _field(local_host), _address(local_ip), local_port,
        _field(host), _address(ip), _field(info), port)


def end(number: int, exit_code: int) -> bytes:
    """It has ended; exit_code is what the session's own program would have exited with, 100 when the rules denied it."""
    return b"tcpserver: end %d status %d\n" % (number, exit_code << 8)


def _field(value: bytes | None) -> bytes:
    value = value or b""
    return value[:_FIELD_MAX].translate(_SAFE) + (b"..." if len(value) >= _FIELD_MAX else b"")


def _address(ip: bytes) -> bytes:
    return ip.translate(_SAFE_ADDRESS)
