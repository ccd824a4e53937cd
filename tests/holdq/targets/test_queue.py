"""The target queue: a real program is run each time."""

import pytest

from holdq.targets import Result, Verdict, queue
from holdq.targets.queue import QueueTarget
from qsmtpd.qmail.outcome import Outcome
from tests.conftest import QmailHome
from tests.holdq.site import END, Site


def deliver(site: Site, program: object, *recipients: bytes) -> list[tuple[int, Result]]:
    held = site.hold(b"Subject: x\n\n" + END, b"a@b.c", *recipients)
    with site.store.open(held) as file:
        target = QueueTarget(str(program))
        return [(len(group), result) for group, result in target.deliver(held.identity, file, file.recipients())]


def test_message_and_envelope_arrive(site: Site, qmail_home: QmailHome) -> None:
    (count, result), = deliver(site, qmail_home.path / "bin/qmail-queue", b"one@y.z", b"two@y.z")

    assert (count, result.verdict) == (2, Verdict.DELIVERED)
    (message, envelope), = qmail_home.messages()
    assert message.startswith(b"Received: (holdq 77 invoked by uid ")
    assert message.endswith(b"-0000\nSubject: x\n\nthe end\n")
    assert envelope == b"Fa@b.c\0Tone@y.z\0Ttwo@y.z\0\0"
    assert [path.name for path in qmail_home.queued.iterdir()] == [str(result.qp)]


def test_recipients_go_in_batches(site: Site, qmail_home: QmailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with their number."""
    monkeypatch.setattr(queue, "BATCH", 2)
    done = deliver(site, qmail_home.path / "bin/qmail-queue", *[b"u%d" % number for number in range(5)])

    assert [count for count, _ in done] == [2, 2, 1]
    assert sorted(envelope for _, envelope in qmail_home.messages()) == [
        b"Fa@b.c\0Tu0\0Tu1\0\0", b"Fa@b.c\0Tu2\0Tu3\0\0", b"Fa@b.c\0Tu4\0\0"]


@pytest.mark.parametrize(("body", "verdict", "why"), [
    ("exit 31", Verdict.FAILED, "554 5.3.0 mail server permanently rejected message"),
    ("exit 53", Verdict.LATER, "451 4.3.0 qq write error or disk full"),
    ("kill -9 $$", Verdict.LATER, "451 4.3.0 qq crashed"),
    ("exit 1", Verdict.LATER, "451 4.3.0 qq temporary problem"),
    ("cat >/dev/null; echo '550 5.7.1 no, thank you' >&6; exit 82", Verdict.FAILED, "550 5.7.1 no, thank you"),
])
def test_what_it_says(site: Site, qmail_home: QmailHome, body: str, verdict: Verdict, why: str) -> None:
    """A140: a crash is never for good."""
    (_, result), = deliver(site, qmail_home.queue_program(body))

    assert (result.verdict, result.why) == (verdict, why)


def test_a_program_that_is_not_there(site: Site) -> None:
    (_, result), = deliver(site, "/nonexistent/qmail-queue")

    assert result == Result(Verdict.LATER, "/nonexistent/qmail-queue: No such file or directory")


def test_trouble_with_our_own_file_queues_nothing(site: Site, qmail_home: QmailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """A137: EIO in the middle of the message; the program sees no final NUL."""
    held = site.hold(bytes(300_000))
    with site.store.open(held) as file:
        pieces = iter([b"first"])

        def body() -> object:
            yield from pieces
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(file, "body", body)
        with pytest.raises(OSError, match="Input/output"):
            list(QueueTarget(str(qmail_home.path / "bin/qmail-queue")).deliver(held.identity, file, file.recipients()))

    place, = qmail_home.queued.iterdir()
    assert ((place / "message").read_bytes(), (place / "envelope").read_bytes()) == (b"first", b"")


def test_result() -> None:
    assert queue.result(Outcome(0, "2.0.0", ()), 5) == Result(Verdict.DELIVERED, qp=5)
    assert queue.result(Outcome(451, "4.3.0", ("x",)), 5) == Result(Verdict.LATER, "451 4.3.0 x", 5)
