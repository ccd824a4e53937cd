"""The gate: whether the machine can bear a delivery now."""

import os
from typing import NamedTuple

import psutil

MEBIBYTE = 1 << 20


class Load(NamedTuple):
    """How the machine does.

    minute     the 1-minute load average, as uptime prints it
    available  bytes of memory that can be had without swapping
    """

    minute: float
    available: int


class Limits(NamedTuple):
    """When it does badly.

    minute     the load average above which nothing is delivered
    available  the bytes of memory that must be available; 0: any
    """

    minute: float
    available: int


def limits(load: int, memory: int, processors: int) -> Limits:
    """From the settings holdqload (0: twice the processors) and holdqmemory (MiB)."""
    return Limits(load or 2 * processors, memory * MEBIBYTE)


def processors() -> int:
    """How many processors this machine has."""
    return os.cpu_count() or 1


def read() -> Load:
    """Ask the machine."""
    return Load(os.getloadavg()[0], psutil.virtual_memory().available)


def closed(load: Load, limits: Limits) -> str | None:
    """Why the gate is closed; None when it is open."""
    if load.minute > limits.minute:
        return f"load average {load.minute:.2f} is above {limits.minute:g}"
    if load.available < limits.available:
        return f"{load.available // MEBIBYTE} MiB of memory are available, {limits.available // MEBIBYTE} are wanted"
    return None
