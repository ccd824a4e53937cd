"""The mails of the demo, what is expected of each, and what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import clients
import traces
from chain import Chain
from clients import Letter
from home import BLOCKED, DATABYTES, DOMAIN, Home

from qsmtpd.rules.default import RULES

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""Put together here: a scanner that finds them in this file would take the file away."""

ANN, BEN = f"ann@{DOMAIN}", f"ben@{DOMAIN}"
ELSEWHERE = "joe@elsewhere.test"
GUESSES = [f"guess{number}@{DOMAIN}" for number in range(1, 13)]
BURST = 30
SMUGGLED = (
    b"Subject: one message, or two?\r\n\r\nthe end, says a line that LF alone ends\n.\r\n"
    b"MAIL FROM:<boss@demo.test>\r\nRCPT TO:<ann@demo.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhello\r\n.\r\nQUIT\r\n")


@dataclass(frozen=True)
class Mail:
    """A mail, and what is expected of it.

    hello     what its client calls itself, by which the log's lines are found
    send      sends it, returns what the client heard
    code      of the last reply that counts
    copies    how many recipients get it
    rules     the checks that refuse, as the log names them
    says      what the client hears has this in it
    tags      qqshim's
    scanner   without it the mail is not sent
    sessions  that the client opens
    paused    holdq is down while it is sent
    """

    hello: str
    title: str
    sender: str
    to: str
    send: Callable[[Home, "Mail"], list[str]]
    code: int = 250
    copies: int = 0
    rules: str = ""
    says: str = ""
    tags: str = ""
    scanner: str = ""
    sessions: int = 1
    paused: bool = False


@dataclass
class Result:
    """What became of a mail.

    trace  None when it was not sent, and skipped says why
    lies   the files in which it lies, relative to the home
    held   the file in which it lay while holdq was down
    """

    mail: Mail
    skipped: str = ""
    heard: list[str] = field(default_factory=list)
    trace: traces.Trace | None = None
    lies: list[Path] = field(default_factory=list)
    held: list[Path] = field(default_factory=list)

    @property
    def code(self) -> int:
        """Of the last reply that the client heard; 0 when it heard none."""
        return int(self.heard[-1][:3]) if self.heard and self.heard[-1][:3].isdigit() else 0

    def differences(self) -> list[str]:
        """What is not as expected, a sentence each."""
        mail, trace = self.mail, self.trace
        if trace is None:
            return []
        tags = ",".join(line.text("tags") for line in trace.scans if line.text("tags"))
        compared: list[tuple[str, object, object]] = [
            ("sessions", mail.sessions, len(trace.sessions)), ("code", mail.code, self.code),
            ("rule", mail.rules, trace.rules),
            ("recipients accepted", mail.copies, trace.accepted), ("tags", mail.tags, tags),
            ("delivered", mail.copies, len(trace.releases)), ("files", mail.copies, len(self.lies)),
            ("held while holdq was down", int(mail.paused), len(self.held))]
        found = [f"{what}: expected {wanted or 'none'}, found {was or 'none'}"
                 for what, wanted, was in compared if wanted != was]
        if mail.says not in " ".join(self.heard):
            found.append(f'the client heard nothing of "{mail.says}"')
        return found


def rule_of(word: str) -> str:
    """What the log calls the built-in rule about a word: its line."""
    return next(str(rule.line) for rule in RULES.rules if word in rule.names)


def by_swaks(letter: Letter) -> Callable[[Home, Mail], list[str]]:
    return lambda home, mail: clients.swaks(home, mail.hello, mail.sender, letter)


MAILS = (
    Mail("good.test", "a good mail", "pat@away.test", ANN, by_swaks(Letter([ANN])), copies=1, says="250 2.0.0 ok "),
    Mail("two.test", "to two recipients", "pat@away.test", f"{{ann,ben}}@{DOMAIN}", by_swaks(Letter([ANN, BEN])), copies=2,
         says="250 2.0.0 ok "),
    Mail("offer.test", "an advertisement", "ads@away.test", BEN, by_swaks(Letter([BEN], "An unbeatable offer.\n")), copies=1,
         tags="spam", says="250 2.0.0 ok ", scanner="spamd"),
    Mail("gtube.test", "spam (GTUBE)", "ads@away.test", BEN, by_swaks(Letter([BEN], f"{GTUBE}\n")), 554, rules="queue",
         tags="spam", says="554 5.7.1 sorry, this message looks like spam", scanner="spamd"),
    Mail("eicar.test", "a virus (EICAR)", "pat@away.test", ANN, by_swaks(Letter([ANN], attachment=EICAR)), 554, rules="queue",
         tags="virus", says="554 5.7.1 sorry, this message contains Frontline.Eicar-Test", scanner="clamd"),
    Mail("large.test", f"more than {DATABYTES:,} bytes", "pat@away.test", ANN,
         by_swaks(Letter([ANN], "All my holidays. \n" * 4000)), 552, rules="databytes", says="552 5.3.4 "),
    Mail("relay.test", "for somebody elsewhere", "ads@away.test", ELSEWHERE, by_swaks(Letter([ELSEWHERE])), 553,
         rules="rcpthosts", says="553 5.7.1 "),
    Mail("harvest.test", "a harvester of addresses", "bot@away.test", f"{len(GUESSES)} names @{DOMAIN}",
         by_swaks(Letter(GUESSES)), 421, rules=f"validrcpt, {rule_of('too-many-bad')}",
         says="550 5.1.1 sorry, no mailbox here by that name"),
    Mail("blocked.test", f"from {BLOCKED}, blocked", "ads@away.test", ANN, by_swaks(Letter([ANN], interface=BLOCKED)), 553,
         rules=rule_of("banned"), says="553 5.7.1 your host"),
    Mail("smuggler.test", "two messages in one, by LF", "eve@away.test", ANN,
         lambda home, mail: clients.by_hand(home, mail.hello, mail.sender, ANN, SMUGGLED), 451, says="451 4.5.2 ",
         rules="newline"),
    Mail("burst.test", f"a burst of {BURST}", "list@away.test", ANN,
         lambda home, mail: clients.burst(home, mail.hello, mail.sender, ANN, BURST), copies=BURST, sessions=BURST),
    Mail("outage.test", "sent while holdq is down", "pat@away.test", BEN, by_swaks(Letter([BEN])), copies=1,
         says="250 2.0.0 ok ", paused=True),
)


def send(mail: Mail, chain: Chain) -> Result:
    """Send a mail and follow it to its end.

    Raises:
        NotReadyError: a client is missing, or holdq does not stop or start.
    """
    if mail.scanner in chain.missing:
        return Result(mail, skipped=f"not sent: there is no {mail.scanner}: {chain.missing[mail.scanner]}")
    result = Result(mail)
    if mail.paused:
        chain.service("holdq", "-d")
    result.heard = mail.send(chain.home, mail)
    result.trace = traces.wait(chain.home, mail.hello, mail.sessions, delivered=not mail.paused)
    if mail.paused:
        result.held = _below(chain.home, "holdq/incoming", result.trace.holds)
        chain.service("holdq", "-u")
        result.trace = traces.wait(chain.home, mail.hello, mail.sessions, delivered=True)
    result.lies = _below(chain.home, "mail/*/new", result.trace.releases)
    return result


def imbalance(results: Sequence[Result], home: Home) -> str:
    """Whether a mail is lost or smuggled in: what we said 250 to is in the Maildirs, and nothing else; "" when that is so."""
    accepted = sum(result.trace.accepted for result in results if result.trace)
    files = sum(len(found) for found in home.maildirs().values())
    return "" if accepted == files else f"accepted for {accepted} recipients, but {files} files in the Maildirs"


def _below(home: Home, directories: str, lines: list[traces.Line]) -> list[Path]:
    """The files in the directories that have the messages of the lines: their names have the random half of its ID."""
    wanted = {line.text("id").rpartition("-")[2] for line in lines}
    files = home.path.glob(f"{directories}/*")
    return sorted(file.relative_to(home.path) for file in files if any(random in file.name for random in wanted))
