"""The sockets that connections come from: opened by us, one for each worker and address, or passed on by who started us."""

import fcntl
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from ..qmail import env
from . import steering
from .options import Options

FIRST_PASSED = 3
"""SD_LISTEN_FDS_START of systemd."""


class OpenError(Exception):
    """An address cannot be listened on; str() is the line for the log."""


class Sockets:
    """All that listens.

    opened  for each address a socket for each worker, in the workers' order, by which connections are steered
    passed  those that somebody passed on, which all workers share
    """

    __slots__ = ("opened", "passed")

    def __init__(self, opened: Sequence[Sequence[socket.socket]], passed: Sequence[socket.socket]) -> None:
        self.opened = opened
        self.passed = passed

    def of_worker(self, number: int) -> list[socket.socket]:
        """Those that a worker takes connections from."""
        return [*(group[number] for group in self.opened), *self.passed]

    def ports(self) -> list[int]:
        """The port of each address."""
        return [each.getsockname()[1] for each in self.of_worker(0)]

    def close(self, but_of: int | None = None) -> None:
        """Close them all, or those that a worker has no use for."""
        kept = self.of_worker(but_of) if but_of is not None else []
        for each in (*(each for group in self.opened for each in group), *self.passed):
            if each not in kept:
                each.close()


def open_all(options: Options) -> Sockets:
    """The sockets of the options, listening.

    Raises:
        OpenError: one of them cannot be, and none is left open.
    """
    secret = secrets.randbits(32)
    with ExitStack() as opened:
        passed = [_passed(fd, opened) for fd in options.inherited]
        groups = [_group(host, port, options, secret, opened) for host, port in options.addresses]
        opened.pop_all()
    return Sockets(groups, passed)


def passed_by_systemd() -> tuple[int, ...]:
    """The descriptors of sd_listen_fds(3): those that are meant for us and not for who started us."""
    if env.get("LISTEN_PID") != b"%d" % os.getpid():
        return ()
    count = env.get("LISTEN_FDS") or b""
    return tuple(range(FIRST_PASSED, FIRST_PASSED + int(count))) if count.isdigit() and len(count) < 4 else ()


def settle(connection: socket.socket, options: Options) -> None:
    """What tcpserver does to a connection before it looks at it; TCP_NODELAY it has from the socket that it came from.

    -O: with source routing a client would get its answers by a way of its own choice, under another's address.
    """
    if not options.keep_ip_options and connection.family == socket.AF_INET:
        try:
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"")
        except OSError:
            pass  # it is gone again


def _group(host: str, port: int, options: Options, secret: int, opened: ExitStack) -> list[socket.socket]:
    """The sockets of all workers for one address."""
    try:
        family, address = _resolved(host, port, options)
        _probe(family, address)
        group = []
        for _ in range(options.workers):
            group.append(opened.enter_context(_unbound(family)))
            _bind(group[-1], group[0].getsockname() if len(group) > 1 else address)
        steering.attach(group[0], options.workers, secret)
        for each in group:
            each.listen(options.backlog)
    except OSError as error:
        raise OpenError(f"unable to listen on {host} port {port}: {error.strerror or error}") from error
    return group


def _resolved(host: str, port: int, options: Options) -> tuple[int, tuple[object, ...]]:
    """Family and address, of a name the first that it has."""
    wanted = socket.AF_INET if options.only_ipv4 else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError as error:
        raise OSError(0, "no such name") from error
    return found[0][0], found[0][4]


def _probe(family: int, address: tuple[object, ...]) -> None:
    """Bind once without SO_REUSEPORT: a second qsmtpd-listen would else take half of the connections of the first.

    Raises:
        OSError: another process listens there.
    """
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        _bind(probe, address)


def _unbound(family: int) -> socket.socket:
    unbound = socket.socket(family, socket.SOCK_STREAM)
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    unbound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    unbound.setblocking(False)
    return unbound


def _bind(unbound: socket.socket, address: tuple[object, ...]) -> None:
    """IPv6 alone: 0 and :: are two addresses, and nobody comes as ::ffff:192.0.2.1."""
    unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if unbound.family == socket.AF_INET6:
        unbound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    unbound.bind(address)


def _passed(fd: int, opened: ExitStack) -> socket.socket:
    """A socket that listens already, with what we want of it; it makes room for the standard descriptors."""
    try:
        passed = opened.enter_context(socket.socket(fileno=fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)))
        if fd > 2:
            os.close(fd)
        if passed.family not in (socket.AF_INET, socket.AF_INET6) or passed.type != socket.SOCK_STREAM:
            raise OSError(0, "it is no TCP socket")
        if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(0, "it does not listen")
        passed.setblocking(False)
        passed.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise OpenError(f"unable to listen on descriptor {fd}: {error.strerror or error}") from error
    return passed
