"""A network of one's own: a network namespace whose loopback has the IPv6 addresses that a test wants clients to come from."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.servers import wait_until

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
SIOCSIFADDR = 0x8916
UP = 0x49
"""IFF_UP, IFF_LOOPBACK, IFF_RUNNING."""


def in_own_network(addresses: Iterable[str], body: Callable[[], None]) -> None:
    """Run the body in a thread that has a network of its own, where these addresses are on the loopback, beside 127.0.0.0/8.

    The sockets that the thread opens and the programs that it starts are in there; the rest of the process stays outside.
    Only root may do so.
    """
    with ThreadPoolExecutor(1) as executor:
        executor.submit(_enter, list(addresses)).result()
        executor.submit(body).result()


def _enter(addresses: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with socket.socket(socket.AF_INET6) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", UP))
        for address in addresses:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sIi", packed, 128, socket.if_nametoindex("lo")))
    for address in addresses:
        wait_until(partial(_is_ours, address), what=address)


def _is_ours(address: str) -> bool:
    """The kernel takes its time: an address is tentative before it can be used."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
