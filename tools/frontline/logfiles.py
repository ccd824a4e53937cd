"""Log files as multilog(8) and others leave them: read line by line, stamps taken off, lines of sessions picked out."""

import gzip
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from qsmtpd.qmail import logline

GZIP = b"\x1f\x8b"
STAMP = re.compile(rb"@[0-9a-f]{24} |\d{4}-\d\d-\d\d[ T_]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z)? ")
"""TAI64N of multilog and s6-log, or what tai64nlocal and svlogd make for people."""
OLD = re.compile(r"@[0-9a-f]{24}\.[su]")
"""A finished file in a log directory: .s is complete, .u was being written when the machine stopped."""

Progress = Callable[[int, int], None]
"""Told of bytes read and bytes in all, 0 when nobody knows."""


def files(names: list[str]) -> list[str]:
    """What to read, in order: of a directory what multilog keeps there, the oldest first; "-" is standard input.

    Raises:
        OSError: a directory cannot be read.
    """
    found = []
    for name in names:
        if os.path.isdir(name):
            kept = sorted(each for each in os.listdir(name) if OLD.fullmatch(each))
            current = ["current"] if os.path.exists(f"{name}/current") else []
            found += [f"{name}/{each}" for each in (*kept, *current)]
        else:
            found.append(name)
    return found


def lines(names: list[str], progress: Progress) -> Iterator[bytes]:
    """The lines of all of them, without stamps and line ends.

    Raises:
        OSError: one cannot be read.
    """
    sizes = [os.stat(name).st_size if name != "-" else 0 for name in names]
    done, total = 0, sum(sizes) if all(name != "-" for name in names) else 0
    for name, size in zip(names, sizes, strict=True):
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as raw:
            file: BinaryIO = gzip.GzipFile(fileobj=raw) if _is_packed(raw) else raw  # type: ignore[assignment]  # both read lines
            for number, line in enumerate(file):
                if number & 0x3FFF == 0:
                    progress(done + (raw.tell() if total else 0), total)
                yield _without_stamp(line)
        done += size


def _is_packed(raw: "io.BufferedReader | BinaryIO") -> bool:
    return isinstance(raw, io.BufferedReader) and raw.peek(2)[:2] == GZIP


def _without_stamp(line: bytes) -> bytes:
    line = line.removesuffix(b"\n")
    if line[:1] in b"@0123456789" and line:
        stamp = STAMP.match(line)
        if stamp:
            return line[stamp.end():]
    return line


def pairs(line: bytes) -> dict[bytes, bytes]:
    """The pairs of a line that logline has written.

    Raises:
        ValueError: it is none.
    """
    if b'"' in line:
        return {key.encode(): value for key, value in logline.parse(line)[1].items()}
    found = {}
    for word in line.split(b" ")[1:]:
        key, equals, value = word.partition(b"=")
        if not (equals and key and value):
            raise ValueError("no key=value")
        found[key] = value
    return found
