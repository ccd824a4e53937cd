"""What is rehearsed is what happens: explain and the session give one client the same replies, by the same rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import QmailHome
from tests.play import Played, environment
from tests.tools.frontline import talks
from tools.frontline.rehearsal import Client, Rehearsal

CLIENT = Client(b"192.0.2.1", None, b"client.test")
TALK = st.tuples(st.sampled_from(talks.SENDERS), st.lists(st.sampled_from(talks.RECIPIENTS), min_size=1, max_size=5))


def rehearsed(home: QmailHome, env: dict[str, bytes], client: Client, talk: tuple[str, list[str]], *tags: str) -> Rehearsal:
    """A session on that site, with a message."""
    with environment({"QMAILHOME": bytes(home.path), **env}):
        session = Rehearsal(client, None, list(tags))
        session.connect()
        sender, recipients = talk
        session.transaction(sender.encode(), [each.encode() for each in recipients], talks.MESSAGE)
    return session


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> QmailHome:
    """A home for all of them; each has rules of its own."""
    home = QmailHome(tmp_path_factory.mktemp("site") / "qmail")
    talks.prepare(home)
    return home


def with_rules(home: QmailHome, rules: str) -> QmailHome:
    home.write("rules", rules)
    return home


@settings(max_examples=150, deadline=None)
@given(rules=talks.RULES, env=st.sampled_from(talks.ENVIRONMENTS), name=st.sampled_from(talks.NAMES), talk=TALK)
def test_the_replies_are_the_sessions(
        rules: str, env: dict[str, bytes], name: str, talk: tuple[str, list[str]], site: QmailHome) -> None:
    """Byte for byte up to the message, for any rules; "defer 50%" draws by chance in both."""
    home = with_rules(site, rules.replace("defer 50%", "defer"))
    lines = talks.talk([(name, [(*talk, False)])], True)

    session = rehearsed(home, env, CLIENT._replace(helo=name.encode()), talk)
    played = Played(home, env, [lines + b"DATA\r\n" + talks.MESSAGE + b".\r\n"])

    steps = [step for step in session.steps if step.stage in ("connect", "helo", "mail", "rcpt")]
    answer = b"".join(step.reply.wire for step in steps if step.reply)
    assert played.wire.answer.startswith(answer)
    logged = [(pairs["to"], pairs["code"], pairs["rule"]) for event, pairs in played.lines if event == "rcpt"]
    assert logged == [
        (step.about, step.reply.code, step.rule)
        for step in steps if step.stage == "rcpt" and step.reply]
    assert [step.about for step in steps if step.stage == "rcpt"] == [each.encode() for each in talk[1]] or session.over
    queued = [envelope for _, envelope in played.queue.queued]
    last = session.steps[-1]
    if last.stage == "message" and last.reply is not None:
        assert last.reply.wire in played.wire.answer
        assert queued == []
    elif last.stage == "message":
        names = [note.removeprefix("for ").encode() for note in last.notes if note.startswith("for ")]
        assert b"".join(b"T%b\0" % each for each in names) == b"".join(envelope.partition(b"\0")[2][:-1] for envelope in queued)


def test_a_fault_of_ours_is_told_and_ends_the_session(qmail_home: QmailHome) -> None:
    """A130: the reply is the session's; the reason is for who asks."""
    talks.prepare(qmail_home)
    home = with_rules(qmail_home, "any accept\n")
    (home.control / "validrcptto.cdb").write_bytes(b"\x10\0")

    session = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test", "other@bench.test"]))

    last = session.steps[-1]
    assert last.reply is not None
    assert (last.stage, last.reply.code, session.over) == ("rcpt", 421, True)
    assert last.notes[0].startswith("fault: validrcptto.cdb")


def test_a_list_that_cannot_be_read_is_told(qmail_home: QmailHome) -> None:
    talks.prepare(qmail_home)
    home = with_rules(qmail_home, "friends refuse\n")
    (home.control / "friends").unlink()
    (home.control / "friends").mkdir()

    session = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test"]))

    assert any("friends" in note for note in session.steps[-1].notes)
    assert session.steps[-1].reply is None or session.steps[-1].reply.code < 500


def test_what_is_taken_as_known_is_not_asked(site: QmailHome) -> None:
    """Words of every stage; also those that the message's end makes anew."""
    home = with_rules(site, 'size > 100 refuse\nvirus refuse "bad: {rule}"\nnoptr & spf-fail defer\n')

    calm = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test"]), "noptr=no", "size=3", "virus=no")
    late = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test"]), "noptr=yes", "spf-fail=yes")
    huge = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test"]), "noptr=no", "size=101")
    ill = rehearsed(home, {}, CLIENT, ("a@b.test", ["good@bench.test"]), "noptr=no", "size=3", "virus=yes")

    assert [step.reply.code for step in calm.steps if step.reply] == [220, 250, 250, 250]
    assert [step.reply.code for step in late.steps if step.reply] == [220, 250, 250, 451]
    assert [step.reply.code for step in huge.steps if step.reply] == [220, 250, 250, 250, 550]
    assert [step.reply.wire for step in ill.steps if step.reply and step.stage == "content"] == [b"550 5.7.1 bad: 2\r\n"]


def test_another_file_of_rules(site: QmailHome) -> None:
    home = with_rules(site, "any refuse\n")
    other = home.path / "other"
    other.write_text("any accept\n")

    with environment({"QMAILHOME": bytes(home.path)}):
        session = Rehearsal(CLIENT, str(other), [])
        session.connect()
        session.transaction(b"a@b.test", [b"good@bench.test"], None)

    assert session.steps[-1].reply is not None
    assert session.steps[-1].reply.code == 250
