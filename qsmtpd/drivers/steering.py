"""Which worker gets a connection: the one that its network belongs to, the /24 around an IPv4 address, the /64 of an IPv6 one.
So what a worker counts by address or by network is exact, and the workers need not tell each other.

A classic BPF program for the group of sockets that share a port (socket(7), SO_ATTACH_REUSEPORT_CBPF) answers the number of a
socket in the group.  They are numbered in the order in which they began to listen, and the last one takes the place of one
that is closed: the sockets have to stay open somewhere while a worker is replaced.
"""

import array
import socket
import struct

from .. import netblock

SO_ATTACH_REUSEPORT_CBPF = 51

_IP_HEADER = 0xFFF00000
"""SKF_NET_OFF of linux/filter.h: offsets from here on are those of the IP header."""
_LOAD_BYTE, _LOAD_WORD, _TO_X, _RETURN = 0x30, 0x20, 0x07, 0x16
_SHIFT_RIGHT, _MULTIPLY, _MODULO, _XOR, _XOR_WITH_X = 0x74, 0x24, 0x94, 0xA4, 0xAC
_JUMP, _JUMP_IF_EQUAL = 0x05, 0x15

_MIX = 0x9E3779B1
"""2**32 divided by the golden ratio: after a multiplication the upper half of the word depends on all of it."""


def attach(listening: socket.socket, workers: int, secret: int) -> None:
    """Steer the connections of the group that the socket is in, or is the first of.

    secret  32 bits that nobody can guess, or somebody could choose networks that all meet at one worker

    Raises:
        OSError: the system cannot do it.
    """
    program = array.array("B", _program(workers, secret))
    where, size = program.buffer_info()
    listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("@HP", size // 8, where))


def worker_of(ip: bytes, workers: int, secret: int) -> int:
    """The number of a client's worker: what the program answers, for people and tests."""
    bits, _, start = netblock.neighbourhood(ip)
    word = start >> 8 if bits == 32 else (start >> 96) * _MIX & 0xFFFFFFFF ^ start >> 64 & 0xFFFFFFFF
    mixed = (word ^ secret) * _MIX & 0xFFFFFFFF
    return (((mixed ^ mixed >> 16) * (secret | 1) & 0xFFFFFFFF) >> 16) % workers


def _program(workers: int, secret: int) -> bytes:
    """Lines of struct sock_filter: operation, lines to skip when a comparison holds and when it does not, number."""
    return b"".join(struct.pack("@HBBI", *line) for line in (
        (_LOAD_BYTE, 0, 0, _IP_HEADER),  # the version of IP
        (_SHIFT_RIGHT, 0, 0, 4),
        (_JUMP_IF_EQUAL, 3, 0, 6),
        (_LOAD_WORD, 0, 0, _IP_HEADER + 12),  # IPv4: the source, but for its last byte
        (_SHIFT_RIGHT, 0, 0, 8),
        (_JUMP, 0, 0, 5),
        (_LOAD_WORD, 0, 0, _IP_HEADER + 8),  # IPv6: the first two words of the source
        (_MULTIPLY, 0, 0, _MIX),
        (_TO_X, 0, 0, 0),
        (_LOAD_WORD, 0, 0, _IP_HEADER + 12),
        (_XOR_WITH_X, 0, 0, 0),
        (_XOR, 0, 0, secret),
        (_MULTIPLY, 0, 0, _MIX),
        (_TO_X, 0, 0, 0),
        (_SHIFT_RIGHT, 0, 0, 16),
        (_XOR_WITH_X, 0, 0, 0),
        (_MULTIPLY, 0, 0, secret | 1),
        (_SHIFT_RIGHT, 0, 0, 16),
        (_MODULO, 0, 0, workers),
        (_RETURN, 0, 0, 0),
    ))
