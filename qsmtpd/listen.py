"""qsmtpd-listen: takes tcpserver's place and its options, and holds all sessions in a few processes (qsmtpd-listen(8)).

Exit 100: the command line makes no sense; 111: an address cannot be listened on, or a user not become.
"""

import os
import sys
from functools import partial
from importlib import import_module
from socket import socket
from typing import NoReturn

from .drivers import options as command_line
from .drivers.descriptors import within_limits
from .drivers.options import Options, UsageError
from .drivers.sockets import OpenError, open_all, passed_by_systemd
from .drivers.workers import Master, Serve
from .qmail import env, process

MISTAKE = 100
TROUBLE = 111

HELP = """\
{usage}

Takes SMTP connections as tcpserver does, with its options and its rules, and talks with all clients from a few processes.

  -c limit                 connections at once (10000)
  -C limit                 of one address; an IPv6 client's /64 is one address
  --per-net limit          of one /24, or of a /64 (half of -c)
  -x rules.cdb             what tcprules has made: who may connect, with which variables; -X: also when it is not there
  -u uid -g gid, -U        who to be once the ports are there; -U: $UID and $GID
  -l localname             do not look up our own name
  -H, -p                   do not look up the client's name; count it only when it leads back to the address
  -v, -q                   a line for each connection; no messages
  -b backlog               connections that may wait at each worker's socket (512)
  -B banner, -o, -1, -4    as with tcpserver
  --memory MiB             by which clients can make a process grow (256); then messages and clients are told to come again
  --messages n             on their way in at once, in a process (half of -c); half of them from one network
  --workers n              processes (one for each CPU)
  --drain seconds          time for transactions in hand after SIGTERM (30)
  --metrics address:port   where the figures for Prometheus are
  -d -i -I -r -t -6 -h -O -P -Q -R   are the default, or have no meaning here

host is 0 for every IPv4 address, :: for every IPv6 address, an address, or a name; or fd:number alone for a socket that
listens already.  Sockets that systemd passes are found without a word.

examples:
  qsmtpd-listen -vR -x /etc/tcp/tcp.smtp.cdb -u 201 -g 200 0 smtp :: smtp
  qsmtpd-listen -H -c 20 --workers 1 127.0.0.1 2525
"""


def main(argv: list[str] | None = None, serve: Serve | None = None) -> NoReturn:
    """Read the command line, open the sockets, become who we are to be, and start the workers.

    serve  what a worker does; it is imported there, not here: the process that forks stays small
    """
    process.prepare()
    try:
        options = command_line.parse(sys.argv[1:] if argv is None else argv, passed_by_systemd())
    except UsageError as error:
        _end(MISTAKE, f"fatal: {error}")
    if options is None:
        print(HELP.format(usage=command_line.USAGE), end="")
        sys.exit(0)
    options = within_limits(options, bool(env.get("QSMTPD_SERVICE")))
    for remark in options.remarks if options.verbosity else ():
        _say(remark)
    try:
        sockets = open_all(options)
        become(options.uid, options.gid)
        service = _service() if serve is None else None
    except OpenError as error:
        _end(TROUBLE, f"fatal: {error}" if options.verbosity else "")
    if options.print_port:
        os.write(1, b"".join(b"%d\n" % port for port in sockets.ports()))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    sys.exit(Master(sockets, options, serve or partial(_listener, service=service)).run())


def _listener(sockets: list[socket], options: Options, service: socket | None) -> int:
    """A worker.  What writes into the spool of holdq, and what scans messages, is handed to it: it knows what they can do, and
    nothing else of them.
    """
    serve = import_module("qsmtpd.drivers.serving").serve
    arrivals = import_module("holdq.arrivals").Arrivals
    takers = {} if service is None else {
        import_module("qsmtpd.drivers.handed").MESSAGE: import_module("qqshim.service").Service}
    code: int = serve(sockets, options, arrivals, service, takers)
    return code


def _service() -> socket | None:
    """The socket where handoff comes, which QSMTPD_SERVICE names; None when it names none.

    Raises:
        OpenError: it cannot be made.
    """
    path = env.get("QSMTPD_SERVICE")
    if not path:
        return None
    from .drivers.handed import listening  # noqa: PLC0415

    try:
        return listening(os.fsdecode(path))
    except OSError as error:
        raise OpenError(f"{os.fsdecode(path)}: {error.strerror or error}") from error


def become(uid: int, gid: int) -> None:
    """Be a user and a group, with no group beside it; 0 stands for who we are.

    Raises:
        OpenError: we may not.
    """
    try:
        if gid:
            os.setgroups([gid])
            os.setgid(gid)
    except OSError as error:
        raise OpenError(f"unable to set gid: {error.strerror}") from error
    try:
        if uid:
            os.setuid(uid)
    except OSError as error:
        raise OpenError(f"unable to set uid: {error.strerror}") from error


def _say(text: str) -> None:
    print(f"qsmtpd-listen: {text}", file=sys.stderr, flush=True)


def _end(code: int, text: str) -> NoReturn:
    if text:
        _say(text)
    sys.exit(code)
