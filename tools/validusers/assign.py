"""Source: users/assign, read as qmail-newu(8) reads it.

    =local:user:uid:gid:home:dash:ext:
    +loc:user:uid:gid:home:dash:pre:
    .

qmail-newu takes any first character but "+" for "=", has no comments, and leaves users/cdb alone when one line is wrong; so a
wrong line stops us too: what qmail-lspawn goes by is then not what this file says.
"""

from pathlib import Path

from .assignments import Assignment
from .report import Report, UserError

COLONS = 7


def read(path: Path, report: Report) -> list[Assignment]:
    """The assignments in force; none when the file is absent or qmail-newu has not been run.

    Raises:
        UserError: a line that qmail-newu refuses.
        OSError: it cannot be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    assignments = parse(text, str(path))
    return assignments if _in_force(path, report) else []


def parse(text: bytes, name: str) -> list[Assignment]:
    """The assignments of a file's text; name stands in messages.

    Raises:
        UserError: a line that qmail-newu refuses, or no line "." at the end.
    """
    assignments: list[Assignment] = []
    *lines, tail = text.split(b"\n")
    for number, line in enumerate([*lines, tail], 1):
        if line.startswith(b"."):
            return assignments
        if number <= len(lines):
            assignments.append(_assignment(line, f"{name}:{number}"))
    raise UserError(f'{name}: expected a line with a single "." at the end; qmail-newu refuses this file')


def _assignment(line: bytes, where: str) -> Assignment:
    fields = line.split(b":")
    if b"\0" in line or len(fields) <= COLONS or not fields[0]:
        raise UserError(f"{where}: expected =local:user:uid:gid:home:dash:ext: with its {COLONS} colons; "
                        "qmail-newu refuses this file")
    key, _, _, _, home, dash, ext = fields[:COLONS]
    return Assignment(key[1:].lower(), key.startswith(b"+"), home, dash, ext, where)


def _in_force(path: Path, report: Report) -> bool:
    """Whether qmail-lspawn has it: users/cdb, of s/qmail users/assign.cdb."""
    for name in ("cdb", "assign.cdb"):
        try:
            made = (path.parent / name).stat().st_mtime_ns
        except FileNotFoundError:
            continue
        if made < path.stat().st_mtime_ns:
            report.warn(f"{path} is newer than {path.parent / name}: run qmail-newu, or qmail goes by the older one")
        return True
    report.warn(f"{path} is passed over, as qmail does while there is no {path.parent}/cdb: run qmail-newu")
    return False
