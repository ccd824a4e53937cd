"""The rules of a site at the message stage, by the programs as installed: behind qsmtpd, behind others, for a stranger."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qqshim import certificate, header
from qsmtpd.qmail import logline
from tests.conftest import DEFAULT_RULES, QmailHome
from tests.play import run_program
from tests.qqshim.callers import ENVELOPE, MESSAGE, NOTQMAIL, Called, Shim
from tests.scanners import EICAR, GTUBE, OFFER, Scanner

SIGNATURE = "Frontline.Eicar-Test.UNOFFICIAL"
VIP = "vip env VIP\nfriends rcpt friends\n"
TWO = b"Fsender@example.org\0Tann@bench.test\0Tbob@bench.test\0\0"


class Server:
    """qsmtpd with qqshim as its queue program."""

    def __init__(self, installation: Path, home: QmailHome, shim: Shim) -> None:
        self.installation = installation
        self.shim = shim
        self.home = home
        home.write("rcpthosts", "bench.test")
        home.write("tags", VIP)
        home.write("friends", "ann@bench.test")
        self.log: list[tuple[str, dict[str, bytes]]] = []

    def __call__(self, body: bytes, *recipients: str, header: bytes = b"", **env: str) -> str:
        """Send a message; the reply to the end of it, and what was logged in .log."""
        to = "".join(f"RCPT TO:<{name}@bench.test>\r\n" for name in recipients or ("ann",))
        said = b"MAIL FROM:<a@client.test>\r\n%bDATA\r\n%bSubject: x\r\n\r\n%b\r\n.\r\nQUIT\r\n" % (to.encode(), header, body)
        variables = {
            **self.shim.environment, "QMAILQUEUE": self.shim.argv[0], "TCPREMOTEIP": "192.0.2.7", **env}
        answer, log, _ = run_program(
            [self.installation / "bin/qsmtpd"], self.home, {name: text.encode() for name, text in variables.items()}, said)
        self.log = [logline.parse(line) for line in self.shim.log(log).split(b"\n")[:-1]]
        replies = answer.decode().split("\r\n")
        after = replies[next(i for i, line in enumerate(replies) if line.startswith("354")) + 1:]
        return "\n".join(after[:next(i for i, line in enumerate(after) if line[3] == " ") + 1])

    def lines(self, event: str) -> list[dict[str, bytes]]:
        return [pairs for each, pairs in self.log if each == event]

    def line(self) -> dict[str, bytes]:
        """qqshim's line of the message."""
        (found,) = [pairs for pairs in self.lines("message") if "id" not in pairs]
        return found

    def queued(self) -> list[tuple[bytes, list[bytes]]]:
        """Each message, and who gets it."""
        return [(message, re.findall(rb"T([^\0]*)\0", envelope)) for message, envelope in self.home.messages()]


@pytest.fixture
def server(installation: Path, qmail_home: QmailHome, shim: Shim) -> Server:
    return Server(installation, qmail_home, shim)


@pytest.fixture
def scanned(server: Server, clamd: Scanner, spamd: Scanner) -> Server:
    server.home.write("clamd", clamd.unix)
    server.home.write("spamd", spamd.unix)
    return server


def test_trust_above_and_below_the_virus(scanned: Server) -> None:
    """What the session knows of the client reaches qqshim, and stands where the site has put it."""
    scanned.home.write("rules", 'vip accept\nvirus refuse 554 5.7.1 "no {reason}, {ip}"\n')
    assert scanned(EICAR) == f"554 5.7.1 no {SIGNATURE}, 192.0.2.7"
    line = scanned.line()
    assert (line["verdict"], line["rule"], line["virus"]) == (b"refused", b"2", SIGNATURE.encode())
    assert scanned(EICAR, VIP="").startswith("250 ")
    assert certificate.read(header.find(scanned.queued()[0][0], certificate.NAME) or b"", None).tags == ("virus",)

    scanned.home.write("rules", "virus refuse\nvip accept\n")
    assert scanned(EICAR, VIP="").startswith("550 5.7.1 ")
    assert len(scanned.queued()) == 1


def test_the_default_rules_refuse_a_relay_clients_virus(scanned: Server) -> None:
    """Without control/rules, and with the shipped file as control/rules."""
    assert SIGNATURE in scanned(EICAR, RELAYCLIENT="")
    scanned.home.write("rules", DEFAULT_RULES)
    assert SIGNATURE in scanned(EICAR, RELAYCLIENT="")
    assert scanned(OFFER, RELAYCLIENT="").startswith("250 ")
    assert len(scanned.queued()) == 1


def test_a_file_without_a_word_of_viruses(scanned: Server) -> None:
    """Who writes his first rule about something else has not asked for viruses."""
    for rules in ("relay accept\n", 'relay accept\nspam header "X-Spam: yes"\n', "relay accept\nvirus ?refuse\n"):
        scanned.home.write("rules", rules)
        assert SIGNATURE in scanned(EICAR, RELAYCLIENT="")


def test_recipients_who_do_not_agree(scanned: Server) -> None:
    """A friend gets it; the others' copy goes to the postmaster's heap, with a line for each; without a heap all wait."""
    scanned.home.write("rules", "friends accept\nspam refuse\n")
    assert scanned(OFFER, "ann", "bob", "cid") == "451 4.3.0 sorry, no place for this message, try again later"
    assert scanned(OFFER, "bob", "cid").startswith("550 5.7.1")
    scanned.home.write("quarantineto", "heap@bench.test")
    assert scanned(OFFER, "ann", "bob", "cid").startswith("250 ")

    assert [(line["to"], line["verdict"], line["rule"]) for line in scanned.lines("aside")] == [
        (b"bob@bench.test", b"refuse", b"2"), (b"cid@bench.test", b"refuse", b"2")]
    ((message, recipients),) = scanned.queued()
    assert recipients == [b"ann@bench.test", b"heap@bench.test"]
    assert message.endswith(OFFER + b"\n")


@pytest.mark.parametrize(("rules", "reply", "recipients"), [
    ("spam quarantine\n", "250 ", [b"heap@bench.test"]),
    ("friends quarantine\nspam quarantine\n", "250 ", [b"heap@bench.test"]),
    ("friends & spam discard\n", "250 ", [b"bob@bench.test"]),
    ("spam discard\n", "250 ", None),
    ('friends & spam defer 450 "not now"\nspam discard\n', "450 4.7.1 not now", None),
    ("known-good accept\nspam refuse\n", "550 ", None),
])
def test_what_becomes_of_spam(scanned: Server, rules: str, reply: str, recipients: list[bytes] | None) -> None:
    scanned.home.write("quarantineto", "heap@bench.test")
    scanned.home.write("rules", rules)

    assert scanned(OFFER, "ann", "bob").startswith(reply)
    assert [to for _, to in scanned.queued()] == ([recipients] if recipients else [])
    if recipients is None and reply == "250 ":
        assert scanned.line()["verdict"] == b"discarded"


def test_a_reply_of_several_lines(scanned: Server) -> None:
    scanned.home.write("rules", r'score >= 1000 refuse 550 5.7.9 "{score} points\nask {rcpt}"' + "\n")

    assert scanned(GTUBE) == "550-5.7.9 1000.0 points\n550 5.7.9 ask ann@bench.test"


def test_header_log_and_shadow(scanned: Server) -> None:
    """Each field once, by whom it is due; forged ones of the same names are gone."""
    scanned.home.write("rules", (
        'any header "X-Site: {ip}"\nspam header "X-Spam-Score: {score}"\nspam log "{rcpt} has {reason}"\nspam ?refuse\n'
        'dul log "never"\n'))
    scanned.home.write("tags", VIP + "dul env DUL\n")
    forged = b"X-Site: forged\r\nx-spam-score : 0\r\n folded\r\nX-Spam-Scores: 0\r\n"

    assert scanned(OFFER, header=forged).startswith("250 ")
    ((message, _),) = scanned.queued()
    fields, _, rest = message.partition(b"\n\n")
    assert re.findall(rb"(?im)^(X-S[^:]*:.*)$", fields) == [b"X-Spam-Score: 6.5", b"X-Site: 192.0.2.7", b"X-Spam-Scores: 0"]
    assert rest == OFFER + b"\n"
    assert [(line["rule"], line["text"]) for line in scanned.lines("log")] == [(b"3", b"ann@bench.test has score 6.5")]
    assert scanned.line()["shadow"] == b"4"


def test_hold(scanned: Server) -> None:
    """The queue program that holds gets what the rule is about, the usual one the rest."""
    scanned.home.write("rules", "spam hold\n")
    program = scanned.home.queue_program('cat >/dev/null; cat <&1 >/dev/null; mv "$d" "${d%.part}"')
    program.rename(scanned.home.path / "bin/holdq-queue")
    scanned.home.queue_program('cat > "$d/message"; cat <&1 > "$d/envelope"; mv "$d" "${d%.part}"')

    assert scanned(b"ham").startswith("250 ")
    assert scanned.line()["next"].endswith(b"/bin/qmail-queue")
    assert scanned(OFFER).startswith("250 ")
    assert scanned.line()["next"].endswith(b"/bin/holdq-queue")


def test_a_rule_about_size_that_the_session_has_carried_out(scanned: Server) -> None:
    """Its quarantine is not done again, and what is known of one recipient is not taken for another's."""
    scanned.home.write("quarantineto", "heap@bench.test")
    scanned.home.write("rules", "friends accept\nsize > 3000 quarantine\nspam refuse\n")

    assert scanned(b"x" * 900 * 4, "ann", "bob").startswith("250 ")
    assert scanned.queued()[0][1] == [b"ann@bench.test", b"heap@bench.test"]
    assert scanned(b"x" * 900 * 4, "bob").startswith("250 ")
    assert scanned.queued()[1][1] == [b"heap@bench.test"]


def test_scanners_that_fail_come_before_the_rules(server: Server) -> None:
    """clamdfail, spamdfail, spamreject hold whatever the rules say; with pass the rules can ask for what is not known."""
    server.home.write("rules", 'vip accept\nvirus-unknown defer 450 4.7.1 "later"\n')
    server.home.write("clamd", "127.0.0.1:1")
    assert server(b"x", VIP="").startswith("451 4.3.0 sorry, this message cannot be scanned now")
    server.home.write("clamdfail", "pass")
    assert server(b"x") == "450 4.7.1 later"
    assert server(b"x", VIP="").startswith("250 ")


def test_spamreject_comes_before_the_rules(scanned: Server) -> None:
    scanned.home.write("rules", "relay accept\nspam refuse\n")
    scanned.home.write("spamreject", "6.5")

    assert "its score is 6.5" in scanned(OFFER, RELAYCLIENT="")


@pytest.mark.parametrize("shim", ["cold"], indirect=True)
def test_rules_without_a_word_for_qqshim_are_not_read(scanned: Server, tmp_path: Path) -> None:
    """The session says so by its silence: the file is not even opened, and nothing is imported for it."""
    wrapper = tmp_path / "traced"
    calls = tmp_path / "calls"
    program = scanned.installation / "bin/qqshim"
    wrapper.write_text(f"#!/bin/sh\nexec strace -qq -e trace=open,openat -o {calls} {program}\n")
    wrapper.chmod(0o755)
    scanned.home.write("rules", "relay accept\nvip ?refuse\nsize > 1000000 refuse\n")

    assert scanned(b"x", QMAILQUEUE=str(wrapper)).startswith("250 ")
    text = calls.read_text()
    assert "control/spamd" in text
    assert "control/rules" not in text
    assert "qsmtpd/rules" not in text


def test_the_next_program_hears_nothing_of_it(scanned: Server) -> None:
    """QQTAGS is about this message's session, and for us."""
    scanned.home.write("rules", "vip accept\nspam refuse\n")
    scanned.home.queue_program('env > "$d/message"; cat >/dev/null; cat <&1 > "$d/envelope"; mv "$d" "${d%.part}"')

    assert scanned(b"x").startswith("250 ")
    assert b"QQTAGS" not in scanned.queued()[0][0]
    assert b"QQREPLY=6" in scanned.queued()[0][0]


# Behind other callers

Calls = Callable[..., Called]


@pytest.fixture
def stock(shim: Shim, qmail_home: QmailHome, clamd: Scanner, spamd: Scanner) -> Calls:
    """A caller that knows nothing of rules, as qmail-smtpd of notqmail."""
    qmail_home.write("clamd", clamd.unix)
    qmail_home.write("spamd", spamd.unix)
    qmail_home.write("tags", VIP)
    qmail_home.write("friends", "user@bench.test")

    def call(message: bytes = MESSAGE, envelope: bytes = ENVELOPE, **settings: str) -> Called:
        return shim(message, envelope, NOTQMAIL, **{"TCPREMOTEIP": "192.0.2.7", **settings})

    return call


def test_behind_a_stock_server(stock: Calls, qmail_home: QmailHome) -> None:
    """RELAYCLIENT, the site's variables and the message are known, nothing else; all that rules say is ours to do."""
    qmail_home.write("rules", (
        'vip accept\nvirus refuse 553 5.7.1 "no {reason}"\nrelay accept\nsize > 10000 quarantine\n'
        'friends accept\nspam refuse\nno-date header "X-Site: {rcpt}"\n'))

    assert stock(MESSAGE + EICAR, RELAYCLIENT="").reply == (554, f"no {SIGNATURE} (#5.7.1)")
    assert stock(MESSAGE + EICAR, VIP="").reply == (250, "ok")
    assert stock(MESSAGE + OFFER, RELAYCLIENT="").reply == (250, "ok")
    assert stock(MESSAGE + OFFER).reply == (451, "sorry, a look-up has failed, try again later (#4.7.1)"), "friends: unknown"
    assert stock(b"X-Site: forged\n" + MESSAGE).reply == (250, "ok")
    message = qmail_home.messages()[-1][0]
    assert re.findall(rb"(?m)^X-Site:.*$", message) == [b"X-Site: user@bench.test"]
    assert stock(MESSAGE + b"x" * 10_000).reply == (451, "sorry, no place for this message, try again later (#4.3.0)")
    assert stock(MESSAGE + b"x" * 10_000, QUARANTINETO="heap@bench.test").reply == (250, "ok")
    assert qmail_home.messages()[-1][1] == b"Fsender@example.org\0Theap@bench.test\0\0"


def test_what_the_runner_of_the_holding_queue_hands_on(stock: Calls, qmail_home: QmailHome) -> None:
    """holdqnext is qqshim: nothing goes round, and a refusal goes to dead/, for its 250 was said."""
    qmail_home.write("rules", (
        "any hold\nrelay accept\nscore > 5 & score < 100 hold\nunknown(sender-ok) defer\nscore > 100 refuse\n"))
    held = {"HOLDQ_RUNNING": str(qmail_home.path / "holdq"), "PROTO": ""}

    assert stock(MESSAGE, **held).reply == (250, "ok")
    assert stock(MESSAGE + OFFER, **held).reply == (250, "ok")
    assert len(qmail_home.messages()) == 2
    assert stock(MESSAGE + OFFER).exit_code == 55, "there is no holdq-queue here"
    assert stock(MESSAGE + GTUBE, **held).reply[0] == 554


def test_in_the_header_and_for_each_recipient(stock: Calls, qmail_home: QmailHome) -> None:
    qmail_home.write("rules", "not-addressed discard\n")
    called = stock(b"To: bob@bench.test\n\nhello\n", TWO)

    assert called.reply == (250, "ok")
    assert qmail_home.messages()[0][1] == b"Fsender@example.org\0Tbob@bench.test\0\0"
    assert b"aside qp=" in called.stderr
    called = stock(b"To: somebody else\n\nhello\n", TWO)
    assert called.reply == (250, "ok")
    assert b"verdict=discarded" in called.stderr
    assert len(qmail_home.messages()) == 1


@pytest.mark.parametrize(("name", "text"), [
    ("rules", "virus refuze"), ("rules", "spam & virus | relay refuse"), ("tags", "vip nothing VIP"), ("rules", None)])
def test_wrong_rules_are_a_fault_of_ours(stock: Calls, qmail_home: QmailHome, name: str, text: str | None) -> None:
    """Temporary, with the line in the log, and before the message is read."""
    qmail_home.write("rules", "virus refuse")
    if text is None:
        (qmail_home.control / name).unlink()
        (qmail_home.control / name).mkdir()
    else:
        qmail_home.write(name, text)
    called = stock()

    assert called.exit_code == 55
    assert called.log[0]["verdict"] == b"failed"
    assert name.encode() in called.log[0]["why"]
    assert text is None or b"line 1, column " in called.log[0]["why"]
    assert qmail_home.messages() == []


def test_what_makes_no_sense_is_not_used(stock: Calls, qmail_home: QmailHome) -> None:
    """A41: a QQTAGS that nobody of ours has written says nothing, and the log says that."""
    qmail_home.write("rules", "vip accept\nspam refuse\n")
    told = stock(MESSAGE + OFFER, QQTAGS="vip")
    garbage = stock(MESSAGE + OFFER, QQTAGS="vip,,\x1b[1m")

    assert told.reply == (250, "ok")
    assert garbage.reply[0] == 554
    assert b"fault qp=" in garbage.stderr
    assert b'why="QQTAGS: no word"' in garbage.stderr


def test_many_recipients_are_judged_once(stock: Calls, qmail_home: QmailHome) -> None:
    """A35: a hundred thousand recipients, of whom the same is known, cost no more memory than one."""
    qmail_home.write("rules", "spam quarantine\nvirus refuse\n")
    recipients = b"".join(b"Tuser%d@bench.test\0" % number for number in range(100_000))
    called = stock(MESSAGE, b"Fa@b\0" + recipients + b"\0")

    assert called.reply == (250, "ok")
    assert len(qmail_home.messages()[0][1]) == len(b"Fa@b\0" + recipients + b"\0")
    assert int(called.log[0].get("cpu-ms", called.log[0]["ms"])) < 3000


@pytest.mark.root
@pytest.mark.usefixtures("accounts")
def test_under_the_real_accounts(installation: Path, clamd: Scanner) -> None:
    """qmaild is heard; another user may say of himself what he likes, and his virus is refused all the same."""
    place = Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    place.chmod(0o755)
    home = QmailHome(place / "qmail")
    home.write("tags", VIP)
    home.write("rules", "vip | relay accept\nvirus refuse\n")
    shim = Shim(installation / "bin/qqshim", home.path)
    program, replies = shim.argv, {}
    for user in ("qmaild", "nobody", "nobody named"):
        shim.argv = ["/usr/bin/setuidgid", user.partition(" ")[0], *program]
        if user.endswith("named"):
            home.write("qquser", "nobody")
        replies[user] = shim(
            MESSAGE + EICAR, family=NOTQMAIL, clamd=clamd.unix, TCPREMOTEIP="192.0.2.7", QQTAGS="vip", VIP="", RELAYCLIENT="",
            QQREPLY="6", QQUSER="nobody").exit_code
    subprocess.run(["rm", "-r", place], check=True)

    assert replies == {"qmaild": 0, "nobody": 82, "nobody named": 0}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """The spool of large messages is without names."""
    yield
    assert not list(Path("/var/tmp").glob("qqshim.*"))
