"""What is measured: the rows of all tables, in their order."""

import os
import sys
from pathlib import Path

from tests.bench.case import (
    CONNECT,
    DELIVER,
    DISK,
    FLOOD,
    HANDOFF,
    HARVEST,
    IDLE,
    LISTENER,
    MESSAGE,
    PER_MESSAGE,
    PER_SESSION,
    SERVER,
    START,
    Budget,
    Case,
)
from tests.bench.figures import POSTFIX
from tests.bench.home import PACKAGES, PYTHON, Site, write_addresses
from tests.bench.peers import Peer, mailfront, postfix

__all__ = ["Case", "Site", "cases", "write_addresses"]

HERE = Path(__file__).parent
BARE = (PYTHON, "-I", "-S", "-c")
ENDED = "import posix; posix._exit(0)"
PROCESSES = 200
"""Connections that Postfix takes at once."""

REPLIES = """
from posix import _exit, read, write
write(1, b"220 mx.bench.test ESMTP\\r\\n")
rest, in_data = b"", False
while data := read(0, 65536):
    *lines, rest = (rest + data).split(b"\\r\\n")
    for line in lines:
        verb = line[:1]
        if in_data:
            in_data = line != b"."
            say = b"" if in_data else b"250 2.0.0 ok\\r\\n"
        elif verb == b"R":
            say = b"250 2.1.5 ok\\r\\n" if b"<good" in line else b"550 5.1.1 no such user\\r\\n"
        elif verb == b"E":
            say = b"250-mx.bench.test\\r\\n250-PIPELINING\\r\\n250 8BITMIME\\r\\n"
        elif verb == b"D":
            in_data, say = True, b"354 go ahead\\r\\n"
        else:
            say = b"221 2.0.0 bye\\r\\n" if verb == b"Q" else b"250 2.0.0 ok\\r\\n"
        if say:
            write(1, say)
        if verb == b"Q" and not in_data:
            _exit(0)
"""
"""The server that replies.c is, in Python: nothing is imported that the interpreter does not hold."""

DRAIN = "from posix import _exit, read\nfor fd in 0, 1:\n    while read(fd, 65536): pass\n_exit(0)\n"

COLD = (Budget("cpu_ms", 12, "ms"), Budget("peak_mib", 12, "MiB"))
SHIM = (Budget("cpu_ms", 15, "ms"), Budget("peak_mib", 14, "MiB"))
HANDED = (Budget("cpu_ms", 1.5, "ms"), Budget("peak_mib", 1, "MiB"))
WITHIN_A_SECOND = (Budget("p99_ms", 1000, "ms for 99 %"),)

POSTFIX_FAULTS = r"postfix/\S+ (fatal|panic|error|warning): (?!file system clock|resetting file time)"
"""A file's time is the kernel's tick, Postfix's own clock is finer: that the second has changed in between is no fault."""


class Rows:
    """All rows.

    log  where Postfix will log
    """

    def __init__(self, site: Site, many: int, log: Path) -> None:
        self.site = site
        self.many = many
        self.qsmtpd = [site.bin / "qsmtpd"]
        self.listen = [site.bin / "qsmtpd-listen"]
        self.handoff = [site.bin / "handoff"]
        self.hold = {"QMAILQUEUE": str(site.bin / "holdq-queue")}
        self.mailfront = mailfront(site)
        self.postfix = postfix(site, log, PROCESSES) if os.getuid() == 0 else None
        self.aiosmtpd = Peer((sys.executable, "-I", HERE / "peer_aiosmtpd.py", site.recipients), {})

    def all(self) -> list[Case]:
        return [*self._harvest(), *self._deliver(), *self._connect(), *self._disk(), *self._flood(), *self._idle(),
                *self._messages(), *self._starts()]

    def _floors(self, group: str) -> list[Case]:
        return [
            Case(group, "floor: tcpserver, C with fixed replies", [self.site.place / "replies"], floor="C", weight=4),
            Case(group, "floor: tcpserver, python3 -I -S -c with fixed replies", [*BARE, REPLIES], floor="Python"),
            self._uvloop(group, weight=16)]

    def _uvloop(self, group: str, weight: int = 1, held: int = 0) -> Case:
        argv = [sys.executable, "-I", HERE / "peer_fixed.py"]
        name = "floor: uvloop, Python with fixed replies"
        return Case(group, name, argv, floor="uvloop", how=SERVER, weight=weight, held=held)

    def _peers(
            self, group: str, more: tuple[str, str, str] = ("", "", ""), held: tuple[int, int, int] = (0, 0, 0)) -> list[Case]:
        """mailfront, Postfix, aiosmtpd; more: what their names say further."""
        return [
            Case(group, f"mailfront under tcpserver{more[0]}", *self.mailfront[:2], peer="mailfront", beside="C", weight=2,
                 marks=("^mailfront.*: bytes in: ", *(("Accepted message",) if group == DELIVER else ())),
                 faults=r"^mailfront.*: (4\d\d )|unable|fatal", refusal=553, held=held[0]),
            *self._postfix(group, more[1], held[1]),
            Case(group, f"aiosmtpd on uvloop{more[2]}", *self.aiosmtpd[:2], peer="aiosmtpd", beside="uvloop", how=SERVER,
                 weight=4, held=held[2])]

    def _postfix(self, group: str, more: str = "", held: int = 0) -> list[Case]:
        if not self.postfix:
            return []
        sent, ended = " status=sent ", " disconnect from "
        marks = {DELIVER: (ended, sent), DISK: (ended, sent), FLOOD: (sent,)}.get(group, (ended,))
        return [Case(group, f"Postfix{more}", *self.postfix[:2], peer=POSTFIX, beside="", how=SERVER, port=self.postfix.port,
                     weight=4 if group == CONNECT else 2, marks=marks, faults=POSTFIX_FAULTS,
                     held=held)]

    def _harvest(self) -> list[Case]:
        large = {"CONTROLDIR": str(self.site.home / "control-many")}
        marks = (PER_SESSION,)
        return [
            *self._floors(HARVEST),
            Case(HARVEST, "qsmtpd, 1,000 addresses", self.qsmtpd, budgets=COLD, marks=marks),
            Case(HARVEST, f"qsmtpd, {self.many:,} addresses", self.qsmtpd, large, budgets=COLD, marks=marks),
            Case(HARVEST, "handoff and its service", self.handoff, how=HANDOFF, beside="C", weight=4,
                 budgets=(Budget("cpu_ms", 1.3, "ms"),), marks=marks),
            Case(HARVEST, "qsmtpd-listen", self.listen, how=LISTENER, beside="uvloop", weight=8,
                 budgets=(Budget("cpu_ms", 0.45, "ms"),), marks=marks),
            *self._peers(HARVEST)]

    def _deliver(self) -> list[Case]:
        lines = (PER_SESSION, PER_MESSAGE)
        shim = {"QMAILQUEUE": str(self.site.bin / "qqshim")}
        return [
            *self._floors(DELIVER),
            Case(DELIVER, "qsmtpd, stub queue", self.qsmtpd, marks=lines),
            Case(DELIVER, "the same, by Postfix's smtp-source", self.qsmtpd, marks=lines, source=True),
            Case(DELIVER, "qsmtpd, qqshim without scanners, stub queue", self.qsmtpd, shim,
                 marks=(*lines, "^message qp=")),
            Case(DELIVER, "qsmtpd, holdq-queue: on the disk before 250", self.qsmtpd, self.hold, marks=(*lines, "^hold ")),
            Case(DELIVER, "handoff and its service, stub queue", self.handoff, how=HANDOFF, beside="C", weight=2,
                 marks=lines),
            Case(DELIVER, "handoff and its service, holdq: on the disk before 250", self.handoff, self.hold, how=HANDOFF,
                 beside="C", weight=2, marks=(*lines, "^hold ")),
            Case(DELIVER, "qsmtpd-listen, stub queue", self.listen, how=LISTENER, beside="uvloop", weight=4,
                 marks=lines),
            Case(DELIVER, "qsmtpd-listen, holdq: on the disk before 250", self.listen, self.hold, how=LISTENER,
                 beside="uvloop", weight=4, budgets=(Budget("cpu_ms", 0.6, "ms"),), marks=(*lines, "^hold ")),
            *self._peers(DELIVER, (", stub queue", ", on the disk before 250, discarded later", ", dropped"))]

    def _connect(self) -> list[Case]:
        marks = (PER_SESSION,)
        return [
            *self._floors(CONNECT),
            Case(CONNECT, "qsmtpd", self.qsmtpd, marks=marks),
            Case(CONNECT, "handoff and its service", self.handoff, how=HANDOFF, beside="C", weight=4, marks=marks),
            Case(CONNECT, "qsmtpd-listen", self.listen, how=LISTENER, beside="uvloop", weight=16,
                 budgets=(Budget("cpu_ms", 0.08, "ms"),), marks=marks),
            *self._peers(CONNECT)]

    def _disk(self) -> list[Case]:
        budgets = (Budget("times", 2, "x Postfix", least=True), Budget("syncs", 0.99, "syncs"))
        return [
            Case(DISK, "qsmtpd-listen, holdq", self.listen, self.hold, how=LISTENER, weight=4, budgets=budgets,
                 marks=(PER_SESSION, PER_MESSAGE, "^hold ")),
            *self._postfix(DISK)]

    def _flood(self) -> list[Case]:
        marks = (PER_MESSAGE,)
        return [
            Case(FLOOD, "qsmtpd", self.qsmtpd, marks=marks),
            Case(FLOOD, "handoff and its service, holdq", self.handoff, self.hold, how=HANDOFF, budgets=WITHIN_A_SECOND,
                 marks=marks),
            Case(FLOOD, "qsmtpd-listen, holdq", self.listen, self.hold, how=LISTENER, budgets=WITHIN_A_SECOND, marks=marks),
            *self._postfix(FLOOD)]

    def _idle(self) -> list[Case]:
        each = Budget("kib", 4, "KiB each")
        return [
            self._uvloop(IDLE, held=10_000),
            Case(IDLE, "qsmtpd", self.qsmtpd, held=100),
            Case(IDLE, "handoff and its service", self.handoff, how=HANDOFF, held=500),
            Case(IDLE, "qsmtpd-listen", self.listen, how=LISTENER, held=1000, budgets=(each,)),
            Case(IDLE, "qsmtpd-listen", self.listen, how=LISTENER, held=10_000, budgets=(each, Budget("mib", 100, "MiB"))),
            *self._peers(IDLE, held=(200, 150, 2000))]

    def _messages(self) -> list[Case]:
        network = {"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.1"}  # as from a session, so that the log is theirs
        rules = {**network, "CONTROLDIR": str(self.site.home / "control-rules")}
        shim, hold = [self.site.bin / "qqshim"], [self.site.bin / "holdq-queue"]
        return [
            Case(MESSAGE, "floor: C that reads all", [self.site.place / "drain"], floor="C", weight=4),
            Case(MESSAGE, "floor: python3 -I -S -c that reads all", [*BARE, DRAIN], floor="Python"),
            Case(MESSAGE, "qqshim without scanners, stub queue", shim, network, budgets=SHIM, marks=("^message qp=",)),
            Case(MESSAGE, "the same, with the default rules as control/rules", shim, rules, budgets=SHIM,
                 marks=("^message qp=",)),
            Case(MESSAGE, "handoff-qqshim and its service, stub queue", [self.site.bin / "handoff-qqshim"], network,
                 how=HANDOFF, beside="C", weight=4, budgets=HANDED, marks=("^message qp=",)),
            Case(MESSAGE, "holdq-queue: on the disk", hold, network, marks=("^hold ",))]

    def _starts(self) -> list[Case]:
        python = [self.site.bin / "python3", *BARE[1:]]
        launcher = [self.site.place / "launch/qsmtpd"]
        return [
            Case(START, "floor: a C program", [self.site.place / "drain"], floor="C", weight=4),
            Case(START, "floor: python3 -I -S, ended by _exit", [*BARE, ENDED], floor="Python"),
            Case(START, "python3 -I -S, ended by itself", [*BARE, "pass"], floor="part"),
            Case(START, "the sh of a launcher that pip alone installed", launcher, weight=4),
            Case(START, "the virtual environment's python3 -I -S, _exit", [*python, ENDED], floor="part"),
            *(Case(START, f"the same, and what {program} imports, one by one", [*python, self._importing(module)])
              for program, module in (("qsmtpd", "qsmtpd.main"), ("qqshim", "qqshim.main"), ("holdq-queue", "holdq.enqueue")))]

    def _importing(self, module: str) -> str:
        return f"import sys; sys.path.append({os.fspath(self.site.place / PACKAGES)!r}); import {module}; {ENDED}"


def cases(site: Site, many: int) -> list[Case]:
    """All rows.  Postfix can be started only by root: without, it has none."""
    return Rows(site, many, site.place / "log").all()
