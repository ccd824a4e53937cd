"""The descriptors of a worker: how many it may come to hold, and that opening one never makes it wait."""

import fcntl
import os
import resource
from dataclasses import replace

from .options import Options

SPARE = 512
"""Descriptors of a worker beside its connections: files, look-ups, pipes to queue programs."""
SPARE_FOR_SERVICE = 2048
"""The same for the messages that handoff brings."""


def wanted(options: Options, service: bool) -> int:
    """One for each connection and each message's file, for all of them may come to one worker, and those beside them."""
    return options.limit + options.messages + _spare(service)


def within_limits(options: Options, service: bool) -> Options:
    """A138: room for what is wanted is asked for, and where there is none, there are fewer connections and messages.

    service  handoff may bring some too
    """
    number = wanted(options, service)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _under(soft, number):
        for limits in ((number, max(hard, number)), (min(hard, number), hard)):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                break
            except (OSError, ValueError):
                continue
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _under(soft, number):
        return options
    room, clients = max(soft - _spare(service), 0), options.limit + options.messages
    limit, messages = (max(1, each * room // clients) for each in (options.limit, options.messages))
    remark = f"-c {options.limit}: there are {soft} descriptors for a process: no more than {limit} connections"
    return replace(options, limit=limit, messages=messages, remarks=(*options.remarks, remark))


def reserve(number: int) -> None:
    """Have the kernel make its table of descriptors for so many, or for as many as we may have; before there are threads.

    When a table of several threads grows, whoever opens something waits until no CPU can still read the old one
    (expand_fdtable() in Linux's fs/file.c): 5 to 27 ms were measured, at 256 descriptors and each time that they double.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = (soft if _under(soft, number) else number) - 1
    try:
        os.close(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, highest))
    except OSError:
        pass  # no memory for it now: it grows when it has to


def _spare(service: bool) -> int:
    return SPARE + SPARE_FOR_SERVICE if service else SPARE


def _under(limit: int, number: int) -> bool:
    return limit != resource.RLIM_INFINITY and limit < number
