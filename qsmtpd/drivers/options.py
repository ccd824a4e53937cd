"""The command line of qsmtpd-listen: that of tcpserver(1), of its IPv6 version, and -C of the patched ones; and what is ours.

What has no meaning here is taken all the same, and remarked upon, so that a run script changes by one word.
"""

import getopt
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..qmail import env
from .admission import Tally

USAGE = (
    "usage: qsmtpd-listen [-146UXpPhHrRoOdDqQv] [-c limit] [-C limit] [-x rules.cdb] [-B banner] [-g gid] [-u uid] "
    "[-b backlog] [-l localname] [-t timeout] [--workers n] [--drain seconds] [--per-net limit] [--memory MiB] "
    "[--messages n] [--metrics address:port] host port ...")

_SHORT = "146UXpPhHrRoOdDqQvix:B:c:C:g:u:b:l:t:I:"
_LONG = ("workers=", "drain=", "per-net=", "memory=", "messages=", "metrics=", "help")

REMARKS = {
    "-6": "IPv4-mapped addresses are IPv4 everywhere",
    "-d": "replies are sent at once",
    "-I": "write the interface behind the address, fe80::1%eth0",
    "-i": "there is nothing to ask of a client",
    "-r": "nobody's ident server is asked, and rules by user never match",
    "-t": "nobody's ident server is asked",
}
"""What is said of an option that has no meaning here.  Those not named here are the default, or do something."""


class UsageError(Exception):
    """The command line cannot be understood; str() says what was expected."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    addresses       (host, port) of each address to listen on; host "0" is every IPv4 address, "::" every IPv6 one
    inherited       descriptors that listen already
    only_ipv4       of the addresses of a name, those of IPv6 are passed over
    verbosity       0: no messages, 1: what went wrong, 2: a line for each connection too
    rules           the absolute path of the cdb of tcprules(1) that is asked about each client; None: everybody may connect
    without_rules   everybody may connect also while that file is not there
    limit           connections at once, of all workers together
    per_address, per_net  of one address and of one /24, or of an IPv6 client's /64; 0: no limit but the other ones
    local_name      what TCPLOCALHOST will be; None: to be looked up
    host_lookup     TCPREMOTEHOST is looked up
    paranoid        and counts only when it leads back to the address
    banner          what a client gets before anything else
    uid, gid        who the process is once it has its sockets; 0: as it was
    backlog         connections that may wait for a worker to take them
    keep_ip_options  IP options of the client are left as they are
    print_port      the ports are printed, a line each, once connections are taken
    workers         how many processes
    drain           seconds that transactions in hand have after SIGTERM
    memory          MiB by which clients can make a worker grow
    messages        on their way in at once, in a worker; 0: no limit but that of connections
    metrics         address and port of the page of figures, None: there is none
    remarks         what is to be said about the command line
    tally           the worker's place in the count of all connections; None in who counts for himself
    """

    addresses: tuple[tuple[str, int], ...] = ()
    inherited: tuple[int, ...] = ()
    only_ipv4: bool = False
    verbosity: int = 1
    rules: str | None = None
    without_rules: bool = False
    limit: int = 10000
    per_address: int = 0
    per_net: int = 0
    local_name: bytes | None = None
    host_lookup: bool = True
    paranoid: bool = False
    banner: bytes = b""
    uid: int = 0
    gid: int = 0
    backlog: int = 512
    keep_ip_options: bool = False
    print_port: bool = False
    workers: int = 0
    drain: float = 30.0
    memory: int = 256
    messages: int = 0
    metrics: tuple[str, int] | None = None
    remarks: tuple[str, ...] = ()
    tally: Tally | None = field(default=None, compare=False)


def parse(words: Sequence[str], inherited: Sequence[int] = ()) -> Options | None:
    """The options; None when help is asked for.

    inherited  descriptors that systemd has passed, listening already

    Raises:
        UsageError: what was expected.
    """
    try:
        pairs, rest = getopt.getopt(list(words), _SHORT, _LONG)
    except getopt.GetoptError as error:
        raise UsageError(f"{error.msg}; {USAGE}") from error
    if ("--help", "") in pairs:
        return None
    given: dict[str, Any] = {}
    for option, value in pairs:
        given |= _meaning(option, value)
    addresses, passed = _addresses(rest)
    given |= {"addresses": addresses, "inherited": (*inherited, *passed)}
    if not (addresses or given["inherited"]):
        raise UsageError(USAGE)
    remarks = dict.fromkeys(f"{option}: no meaning here: {REMARKS[option]}" for option, _ in pairs if option in REMARKS)
    return _completed(Options(**given, remarks=tuple(remarks)))


def _completed(options: Options) -> Options:
    """With the defaults that depend on something.

    What was passed to us is one socket, from which all workers take: limits by address are exact only for one of them.
    """
    workers = options.workers or (1 if options.inherited else len(os.sched_getaffinity(0)))
    half = (options.limit + 1) // 2
    return replace(options, workers=workers, per_net=options.per_net or half, messages=options.messages or half)


def _port(word: str) -> int | None:
    """The port that a number or a service's name stands for; None when it stands for none."""
    if word.isascii() and word.isdigit():
        return int(word) if len(word) < 6 and int(word) < 65536 else None
    try:
        return socket.getservbyname(word, "tcp")
    except (OSError, UnicodeError, ValueError):
        return None


def _number(text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise UsageError(f"expected a number from {least} on")
    return int(text)


def _positive(text: str) -> int:
    return _number(text, least=1)


def _endpoint(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    number = _port(port)
    if not (colon and host) or number is None:
        raise UsageError("expected ADDRESS:PORT, 127.0.0.1:9125 or [::1]:9125")
    address = host.removeprefix("[").removesuffix("]")
    if address != "::1" and not address.startswith("127."):
        raise UsageError("expected a loopback address: the figures are for nobody else")
    return address, number


_FLAGS: dict[str, dict[str, object]] = {
    "-1": {"print_port": True}, "-4": {"only_ipv4": True}, "-X": {"without_rules": True},
    "-p": {"paranoid": True}, "-P": {"paranoid": False}, "-h": {"host_lookup": True}, "-H": {"host_lookup": False},
    "-o": {"keep_ip_options": True}, "-O": {"keep_ip_options": False},
    "-q": {"verbosity": 0}, "-Q": {"verbosity": 1}, "-v": {"verbosity": 2},
}

_VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "-x": ("rules", os.path.abspath), "-B": ("banner", os.fsencode), "-l": ("local_name", os.fsencode),
    "-c": ("limit", _positive), "-C": ("per_address", _number),
    "-u": ("uid", _number), "-g": ("gid", _number),
    "-b": ("backlog", _positive),
    "--workers": ("workers", _positive), "--per-net": ("per_net", _number),
    "--memory": ("memory", _positive), "--messages": ("messages", _positive),
    "--drain": ("drain", lambda text: float(_number(text))), "--metrics": ("metrics", _endpoint),
}


def _meaning(option: str, value: str) -> dict[str, object]:
    """What an option sets.

    Raises:
        UsageError: its value makes no sense.
    """
    if option not in _VALUES and option != "-U":
        return _FLAGS.get(option, {})
    try:
        if option == "-U":
            return {name: _number((env.get(name.upper()) or b"0").decode("ascii", "replace")) for name in ("uid", "gid")}
        name, read = _VALUES[option]
        return {name: read(value)}
    except UsageError as error:
        raise UsageError(f"{option} {value or '$UID, $GID'}: {error}") from error


def _addresses(words: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], tuple[int, ...]]:
    """HOST PORT, as often as somebody likes, and fd:NUMBER.

    Raises:
        UsageError: there is a word that is no part of an address.
    """
    addresses: list[tuple[str, int]] = []
    inherited: list[int] = []
    at = 0
    while at < len(words):
        if words[at].startswith("fd:"):
            inherited.append(_descriptor(words[at]))
            at += 1
            continue
        port = _port(words[at + 1]) if at + 1 < len(words) else None
        if port is None:
            raise UsageError(f"{' '.join(words[at:at + 2])}: {_advice(bool(addresses or inherited))}")
        addresses.append(("0.0.0.0" if words[at] in ("", "0") else words[at], port))
        at += 2
    return tuple(addresses), tuple(inherited)


def _descriptor(word: str) -> int:
    try:
        return _number(word[3:])
    except UsageError as error:
        raise UsageError(f"{word}: expected fd: and the number of a descriptor") from error


def _advice(enough: bool) -> str:
    return "expected another address and port, or nothing: the session is our own, no program is run" if enough else (
        "expected an address, and a port, which is a number or a name of /etc/services")
