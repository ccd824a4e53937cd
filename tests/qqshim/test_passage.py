"""The order of things on a message's way.  What comes of it is tested by the program and the service, test_main.py."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from qqshim.connection import Address, Connection
from qqshim.faults import ShimError
from qqshim.origin import NOBODY, Origin
from qqshim.passage import Passage, Setup
from qqshim.site import Site
from qqshim.spool import Spool
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.envelope import EnvelopeError
from qsmtpd.rules.atonce import complete
from tests.qqshim.callers import ENVELOPE, MESSAGE

T = TypeVar("T")


class Noted(Passage):
    """What is done with it, in order, in done."""

    def __init__(self, directory: Path, *, code: int = 0, envelope: bytes = ENVELOPE, origin: Origin = NOBODY) -> None:
        super().__init__(Control(str(directory), lambda _: None), None, 4712)
        self.done: list[str] = []
        self.lines: list[dict[str, object]] = []
        self.queued = b""
        self.spools: list[Spool] = []
        self._from = origin
        self._code = code
        self._pieces = {0: [MESSAGE, b""], 1: [envelope, b""]}

    def recognize(self) -> Origin:
        self.done.append("recognize")
        return self._from

    def is_loop(self) -> bool:
        return False

    def setup(self) -> Setup:
        self.done.append("setup")
        return Setup(self.control)

    def site(self) -> Site | None:
        self.done.append("site")
        text = self.control.read("rules")
        return None if text is None else Site(self.control, text, carried_out=False)

    async def read(self, number: int) -> bytes:
        self.done.append(f"read {number}")
        return self._pieces[number].pop(0)

    async def work(self, long: bool, function: Callable[..., T], *arguments: object) -> T:
        self.done += ["long"] if long else []
        return function(*arguments)

    async def pause(self) -> None:
        self.done.append("pause")

    def connection(self, where: Address, seconds: float) -> Connection:
        raise AssertionError("no scanner is set")

    def prepare(self, message: Spool, envelope: Spool) -> None:
        self.done.append("prepare")
        self.spools = [message, envelope]
        self.queued = message.read(0, message.size)

    async def hand_on(self, program: str, begun: Callable[[int | None], None]) -> int:
        begun(None)
        self.done.append(f"hand on {program}")
        assert [spool.fd for spool in self.spools] == [-1, -1], "nothing of ours stays open while the next program works"
        return self._code

    def note(self, event: str, pairs: "Facts") -> None:
        self.done.append(event)
        self.lines.append(dict(pairs))


READ = ["read 0", "read 0", "read 1"]


def test_the_way(tmp_path: Path) -> None:
    (tmp_path / "qqnext").write_text("/next\n")
    passage = Noted(tmp_path, code=53)

    assert complete(passage.run()) == 53
    assert passage.done == ["recognize", "setup", "site", *READ, "prepare", "message", "hand on /next"]
    assert passage.queued.endswith(MESSAGE)
    (line,) = passage.lines
    assert (line["verdict"], line["next"], line["cpu-ms"]) == (b"handed on", b"/next", None)


def test_what_is_wrong_is_found_before_the_message_is_read(tmp_path: Path) -> None:
    (tmp_path / "clamd").write_text("somewhere\n")
    passage = Noted(tmp_path)
    with pytest.raises(ControlError) as caught:
        complete(passage.run())

    assert passage.done == ["recognize", "setup"]
    assert passage.failed(caught.value) == 55
    assert (passage.lines[0]["verdict"], passage.lines[0]["code"]) == (b"failed", 55)


def test_a_session_that_says_nothing_of_rules(tmp_path: Path) -> None:
    """None of them is left for us: they are not even looked for."""
    passage = Noted(tmp_path, origin=Origin(server=True, session=True))
    complete(passage.run())
    assert "site" not in passage.done


def test_a_caller_that_gives_up(tmp_path: Path) -> None:
    passage = Noted(tmp_path, envelope=b"Fa@b\0")
    with pytest.raises(EnvelopeError) as caught:
        complete(passage.run())

    assert passage.failed(caught.value) == 54
    assert passage.lines[0]["verdict"] == b"aborted"


def test_rules(tmp_path: Path) -> None:
    """Many recipients, or a long header, are work that takes its time."""
    (tmp_path / "rules").write_text('size > 1 log "seen"\nsize > 1 header "X-Site: yes"\n')
    passage = Noted(tmp_path, envelope=b"Fa@b\0" + b"Tc@d\0" * 101 + b"\0")

    complete(passage.run())
    assert passage.done[:-1] == ["recognize", "setup", "site", *READ, "long", "log", "pause", "prepare", "message"]
    assert b"\nX-Site: yes\n" in passage.queued
    (tmp_path / "rules").write_text("size > 1 refuse\n")
    passage = Noted(tmp_path)
    assert complete(passage.run()) == 31
    assert passage.lines[0]["rule"] == 1
    (tmp_path / "rules").write_text("size > 1 discard\n")
    passage = Noted(tmp_path)
    assert complete(passage.run()) == 0
    assert passage.queued == b""


def test_what_nobody_foresaw(tmp_path: Path) -> None:
    passage = Noted(tmp_path)
    assert passage.failed(ZeroDivisionError("x")) == 81
    assert passage.failed(ShimError(53, "full")) == 53
    assert [line["code"] for line in passage.lines] == [81, 53]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from qqshim.passage import Facts
