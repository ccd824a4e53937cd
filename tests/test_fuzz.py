"""Any rules, world and client: no exception, no 5xx by a fault of ours, nothing admitted that safety refuses, no mail lost.

The session in this process, whole from the bytes to the queue; what it decides is compared with the slow reference evaluator.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from qsmtpd.address import domain
from qsmtpd.checks.base import Mail
from qsmtpd.config import Config
from qsmtpd.drivers.conversation import Conversation
from qsmtpd.drivers.journal import Journal
from qsmtpd.policy import Policy
from qsmtpd.qmail import logline
from qsmtpd.qmail.control import Control
from qsmtpd.qmail.env import Peer
from qsmtpd.qmail.outcome import Outcome
from qsmtpd.rules.atonce import complete
from qsmtpd.rules.rule import VERBS, Rule, draw
from qsmtpd.rules.vocabulary import MESSAGE, RCPT
from qsmtpd.ruling import NOTHING, Ruled, Ruling, Verdict
from qsmtpd.session import Session
from qsmtpd.transaction import Disposal, Transaction
from tests.play import ScriptedWire, environment
from tests.qsmtpd import chance
from tests.qsmtpd.rules import reference

Pairs = Iterable[tuple[str, bytes | int | None]]
OUTCOMES = [Outcome(0, "2.0.0", ())] * 2 + [Outcome(451, "4.3.0", ("no\r\n250 ok",)), Outcome(554, "5.7.1", ("virus",))]
FAULTS = (b"LookupFailedError: safety", b"LookupFailedError: rcptcheck: exit code")
"""What safety asks has no answer: the session is over, for now."""
SAFETY = ("rcpthosts", "validrcpt", "doublebounce", "databytes", "hops", "callout")
REPLY = re.compile(rb"(?:([2-5]\d\d)-[ -~]{0,506}\r\n)*([2-5]\d\d) [ -~]{0,506}\r\n")
REFUSING = ("refuse", "close")
OF_RECIPIENTS = {name for name, term in chance.WORDS.items() if term.stage == RCPT}


def replies(answer: bytes) -> list[int]:
    """The codes; nothing but well-formed replies stands there, each with one code."""
    found, at = [], 0
    while at < len(answer):
        reply = REPLY.match(answer, at)
        assert reply, answer[at:at + 600]
        lines = reply[0].split(b"\r\n")[:-1]
        assert len({line[:3] for line in lines}) == 1
        found.append(int(reply[2]))
        at = reply.end()
    return found


class Client(ScriptedWire):
    """One that waits for each answer, and sends a message only after 354.

    answers  what came for each step, in order
    """

    def __init__(self, steps: list[chance.Step]) -> None:
        super().__init__([])
        self.steps = list(steps)
        self.body = b""
        self.answers: list[bytes] = []
        self._seen = 0

    def read(self, answer: bytes = b"") -> bytes:
        """What is said next; whatever was said before has had one reply, no less and no more."""
        self.answer += answer
        new, self._seen = self.answer[self._seen:], len(self.answer)
        assert len(replies(new)) == 1
        self.answers.append(new)
        if new.startswith(b"354"):
            said, self.body = self.body or b"Subject: 1\r\n.\r\n", b""
            return said
        if not self.steps:
            return b""
        step = self.steps.pop(0)
        self.body = step[0] if isinstance(step, tuple) else b""
        return b"DATA\r\n" if isinstance(step, tuple) else step + b"\r\n"


class Queue:
    """outcome  what the program says.  finished  what it was given: message, sender, recipients; running  it is not ended."""

    def __init__(self, outcome: Outcome) -> None:
        self.number = 7
        self.outcome = outcome
        self.finished: list[tuple[bytes, bytes, list[bytes]]] = []
        self.running = False
        self._message = b""

    async def open(self, told: dict[bytes, bytes], hold: bool) -> None:
        assert not self.running
        assert all(b"\0" not in value for value in told.values())
        self.running, self._message = True, b""

    async def write(self, data: bytes) -> None:
        assert self.running
        self._message += data

    async def finish(self, sender: bytes, recipients: list[bytes]) -> Outcome:
        assert self.running
        self.running = False
        self.finished.append((self._message, sender, list(recipients)))
        return self.outcome

    async def abort(self) -> None:
        self.running = False


class Witness(Ruling):
    """The rules of a session, each reading of which is compared with the reference.

    eager  everything that the rules in sight may name is asked too: laziness must not have changed what was decided
    words  of each recipient of the message in hand: the words about recipients, as they were known when he was accepted
    verbs  what was decided, one reading after the other
    """

    eager = False
    was_silent = False
    rules: tuple[Rule, ...] = ()
    verbs: list[str]
    words: list[reference.Values]
    files: chance.Files

    def silent(self) -> bool:
        self.was_silent = super().silent()
        return False

    async def at(self, stage: int) -> Ruled:
        ruled = await super().at(stage)
        assert stage != RCPT or not self.was_silent or ruled is NOTHING
        in_sight = reference.in_sight(self.rules, stage, chance.WORDS)
        if self.eager:
            await self._knowledge.ask_all(tuple(sorted(set().union(*[wanted(rule) for rule in in_sight]))))
        values = dict(self._knowledge.values)
        if stage == MESSAGE and len(self.verbs) < len(self.words):
            his = self.words[len(self.verbs)]
            assert {name: values[name] for name in his if name in values} == {name: his[name] for name in his if name in values}
        certain = self.certain()
        assert {name: values[name] for name in certain if name in values} == {
            name: certain[name] for name in certain if name in values}
        if self.eager:
            decided = reference.decide(self.rules, stage, values, chance.WORDS)
            assert (ruled.verb, ruled.rule) == (decided.verb, "" if decided.line is None else str(decided.line))
        self.check(ruled, in_sight, {**dict.fromkeys(chance.WORDS), **values})
        self.verbs.append(ruled.verb)
        return ruled

    def certain(self) -> reference.Values:
        """What some words are, by the session alone."""
        mail = self._mail
        header = (mail.header or b"").lower().split(b"\n")
        found: reference.Values = {
            "relay": mail.relay is not None, "null-sender": mail.sender == b"", "helo-none": not mail.helo, "size": mail.size,
            "not-addressed": not any(line.startswith((b"to:", b"cc:")) and mail.recipient.lower() in line for line in header)}
        if self.files["vips"] is not None:
            user, _, host = mail.recipient.lower().rpartition(b"@")
            found["vip"] = user == b"good" or (user, host) == (b"vip", b"bench.test")
        if self.files["bosses"] is not None:
            found["boss"] = mail.sender == b"a@b.test"
        return found

    def check(self, ruled: Ruled, in_sight: list[Rule], values: reference.Values) -> None:
        """What refuses holds for certain, and no accept above may hold: what was not asked counts as unknown."""
        if ruled.verb not in (*REFUSING, "quarantine", "discard"):
            assert ruled.verdict is None or ruled.verdict.reply.code // 100 == 4
            return
        for rule in in_sight:
            holds = reference.truth(rule.expression, values)
            if str(rule.line) == ruled.rule:
                assert holds is True
                assert rule.action.verb == ruled.verb
                return
            assert holds is False or rule.action.shadow or rule.action.verb != "accept"
        raise AssertionError("a rule that is not in sight has decided")


def wanted(rule: Rule) -> set[str]:
    """All that a rule may ask for."""
    names = reference.used(rule.expression)
    if reference.conditional(rule):
        of_verb = {"throttle": {"accepted"}, "greylist": {"greylist-age", "greylist-delay"}}
        names |= of_verb.get(rule.action.verb, {draw(rule.line)})
    return names


class Watched(Policy):
    """A session's policy, whose decisions about safety are compared with what the world knows.

    expected  sender and recipients of each message that the queue has to get
    """

    def __init__(
            self, config: Config, site: "Site", world: chance.ChanceWorld, log: Callable[[int, bytes], None], *, eager: bool,
    ) -> None:
        mail = Mail(site.peer, site.env.get)
        super().__init__(config, mail, world, log)  # type: ignore[arg-type]  # it is all of Lookups but for its properties
        witness = Witness(config.rules, mail, self.knowledge, log, None)
        witness.eager, witness.rules, witness.verbs = eager, config.rules.rules, []
        witness.words, witness.files = [], site.files
        self.ruling: Witness = witness
        self.world = world
        self.config = config
        self.files = site.files
        self.taken: list[bytes] = []
        self.expected: list[tuple[bytes, list[bytes]]] = []
        self.header_names = {name.lower() for name in config.rules.fields()}

    async def sender(self, address: bytes, size: int, utf8: bool) -> Verdict:
        self.taken, self.ruling.words = [], []
        verdict = await super().sender(address, size, utf8)
        assert verdict.reply.code < 500 or self.is_by_the_rules(verdict) or size > 2 * self.config.databytes
        return verdict

    async def recipient(self, address: bytes) -> Verdict:
        verdict = await super().recipient(address)
        envelope = self.mail.recipient + (self.mail.relay or b"")
        if verdict.reply.positive:
            assert not self.is_unsafe()
            self.taken.append(envelope)
            known = self.knowledge.values
            learned = {name: known[name] for name in known if name in OF_RECIPIENTS}
            mail = self.mail
            counts = {"rcpt": mail.rcpt, "badrcpt": mail.bad, "accepted": mail.good - 1, "goodrcpt": mail.good}
            self.ruling.words.append({**learned, **counts})
        elif verdict.reply.code >= 500:
            assert self.is_by_the_rules(verdict) or (verdict.rule in SAFETY and self.is_unsafe())
        return verdict

    def is_by_the_rules(self, verdict: Verdict) -> bool:
        """See Witness.check(), which has looked at it."""
        return str(verdict.rule).isdigit() and self.ruling.verbs[-1] in REFUSING

    def is_unsafe(self) -> bool:
        """Whether the recipient in hand is to be refused whatever the rules are, by what the world knows."""
        mail, host = self.mail, domain(self.mail.recipient)
        if mail.relay is not None:
            return False
        if host is None:
            ours, missing = True, mail.recipient.lower() != b"postmaster"
        else:
            listed = (self.files["rcpthosts"] or b"").lower().split(b"\n")
            ours = host in listed or (host.endswith(b".sub.bench.test") and b".sub.bench.test" in listed)
            missing = mail.recipient.lower() not in chance.EXISTING
            missing = missing and not (self.files["calloutrcpt"] == host + b"\n" and mail.recipient in self.world.confirmed)
        missing = missing and self.world.valid != "absent"
        return mail.sender == b"#@[]" or not ours or missing or mail.recipient in self.world.refused

    def _begun(self) -> Transaction:
        return WatchedTransaction(self, super()._begun())  # type: ignore[return-value]  # it does what one does


class WatchedTransaction:
    """What a Transaction says, and what has to be true of it."""

    def __init__(self, policy: Watched, transaction: Transaction) -> None:
        self.policy = policy
        self.transaction = transaction

    def __getattr__(self, name: str) -> object:
        return getattr(self.transaction, name)

    async def header(self, text: bytes) -> list[bytes]:
        self.policy.ruling.verbs.clear()
        return await self.transaction.header(text)

    async def message(self, size: int, hops: int) -> Disposal:
        policy = self.policy
        policy.ruling.verbs.clear()
        disposal = await self.transaction.message(size, hops)
        too_big = 0 < policy.config.databytes < size
        if hops >= 100 or too_big:
            assert disposal.verdict is not None
            assert disposal.verdict.reply.code == (554 if hops >= 100 else 552)
        else:
            self.check(disposal, policy.ruling.verbs)
        if disposal.verdict is None and disposal.envelope:
            policy.expected.append((policy.mail.sender or b"", disposal.envelope))
        return disposal

    def check(self, disposal: Disposal, verbs: list[str]) -> None:
        """The page of the language says: one defers, all are; all refuse, so do we; else who accepts gets it."""
        taken, quarantineto = self.policy.taken, self.policy.config.quarantineto
        assert len(verbs) == len(taken)
        all_refuse = set(verbs) <= set(REFUSING)
        jail = not set(verbs).isdisjoint((*REFUSING, "quarantine"))
        if "defer" in verbs or (jail and not all_refuse and not quarantineto):
            assert disposal.verdict is not None
            assert disposal.verdict.reply.code // 100 == 4
        elif all_refuse:
            assert disposal.verdict is not None
            assert disposal.verdict.reply.code >= 400
        else:
            assert disposal.verdict is None
            accepted = [who for who, verb in zip(taken, verbs, strict=True) if verb == "accept"]
            assert disposal.envelope == accepted + ([quarantineto] if jail else [])
            assert len(disposal.aside) == len(verbs) - len(accepted)
            event("a message was taken")


class Site:
    """What stays as it is when a session is played twice."""

    def __init__(self, home: Path, data: st.DataObject) -> None:
        self.home = home
        self.files = data.draw(chance.control_files)
        self.env = {name: value for name, value in data.draw(chance.environments).items() if value is not None}
        ip, ptr = data.draw(chance.peers)
        self.peer = Peer(ip, ptr, None, b"mx.bench.test", local_ip=b"192.0.2.2", port=b"4711", local_port=b"25")
        self.steps = data.draw(chance.sessions())
        self.waits = data.draw(st.booleans())
        self.outcome = data.draw(st.sampled_from(OUTCOMES))


class Played:
    """A session, from the first byte to the last, and what has to be true of any."""

    def __init__(self, site: Site, rules: list[str], world: chance.ChanceWorld, *, eager: bool = False) -> None:
        chance.write_site(site.home, site.files, rules)
        self.wire: ScriptedWire = Client(site.steps) if site.waits else ScriptedWire([chance.at_once(site.steps)])
        self.queue = Queue(site.outcome)
        self.lines: list[tuple[str, dict[str, bytes]]] = []
        journal = Journal("1.1", self._log)
        world.note = journal.note_lookup  # type: ignore[method-assign]
        with environment(site.env):
            config = Config(Control(str(site.home)))
        self.policy = Watched(config, site, world, journal.note_rule, eager=eager)
        complete(Conversation(
            session=Session(config.replies.goodbye, config.databytes, config.maxnotimpl), policy=self.policy, peer=site.peer,
            wire=self.wire, queue=lambda: self.queue, journal=journal, own_fields=config.rules.fields()).run())
        self.world = world
        self.codes = replies(self.wire.answer)
        self._check()

    def _log(self, lines: list[tuple[str, Pairs]]) -> None:
        """Every line is one line, and says what was put in."""
        for name, pairs in lines:
            wire = logline.format_line(name, pairs)
            assert wire.count(b"\n") == 1
            assert len(wire) <= logline.LINE_MAX
            found, values = logline.parse(wire)
            assert found == name
            assert values["id"] == b"1.1"
            short = {key: value for key, value in pairs if isinstance(value, bytes) and len(value) < 200}
            short |= {key: value.encode() for key, value in pairs if isinstance(value, str)}
            assert {key: values[key] for key in short} == short
            self.lines.append((name, values))

    def _check(self) -> None:
        faults = [values["why"] for name, values in self.lines if name == "fault"]
        assert [why for why in faults if not why.startswith(FAULTS)] == []
        assert not faults or self.world.failed
        assert [name for name, _ in self.lines].count("session") == 1
        assert self.lines[-1][0] == "session"
        assert not self.queue.running
        assert [(sender, recipients) for _, sender, recipients in self.queue.finished] == self.policy.expected
        for message, _, _ in self.queue.finished:
            self._check_header(message)

    def _check_header(self, message: bytes) -> None:
        """Our own fields on top, a line each; nobody else gives them; then the Received field, two lines."""
        ours, received, rest = message.partition(b"Received: from ")
        assert received
        *fields, end = ours.split(b"\n")
        assert end == b""
        for field in fields:
            assert re.fullmatch(rb"X-Checked:[ -~]*", field)
            assert len(field) <= 998
        theirs = (b"\n" + rest.split(b"\n", 2)[2]).partition(b"\n\n")[0].split(b"\n")
        names = {line.partition(b":")[0].rstrip().lower() for line in theirs if b":" in line and line[:1] not in b" \t"}
        assert not names & self.policy.header_names


BY_CHANCE = settings(deadline=None, max_examples=500, suppress_health_check=[
    HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example,
    HealthCheck.filter_too_much])


@pytest.mark.timeout(400)
@BY_CHANCE
@given(st.data(), chance.rule_files(), chance.worlds, st.booleans())
def test_any_session(tmp_path: Path, data: st.DataObject, rules: list[str], world: chance.ChanceWorld, eager: bool) -> None:
    """What is refused, accepted and queued is what the rules and safety say, whatever fails; see the classes above."""
    Played(Site(tmp_path / "control", data), rules, world, eager=eager)


@pytest.mark.timeout(400)
@settings(BY_CHANCE, max_examples=150)
@given(st.data(), chance.rule_files(), chance.worlds)
def test_shadows_change_nothing(tmp_path: Path, data: st.DataObject, rules: list[str], world: chance.ChanceWorld) -> None:
    """The same file without them, its lines where they were: the same bytes to the client, the same mail in the queue.

    One thing aside: a shadow that asks SPF lets greylisting know the client by its domain.
    """
    site = Site(tmp_path / "control", data)
    shadow = re.compile(rf" \?(?:{'|'.join(VERBS)})\b")
    without = ["" if shadow.search(rule) else rule for rule in rules]
    assume(without != rules)
    assume(not ("greylist" in str(rules) and "spf-" in str(rules)))

    with_them, without_them = [Played(site, each, world) for each in (rules, without)]

    said = [re.sub(rb"ok \d+ qp", b"", played.wire.answer) for played in (with_them, without_them)]
    assert said[0] == said[1]
    assert without_them.wire.slept == with_them.wire.slept
    assert without_times(without_them) == without_times(with_them)


def without_times(played: Played) -> list[tuple[bytes, bytes, list[bytes]]]:
    """What was queued, without the dates of our Received fields."""
    return [(re.sub(rb"; \d.*-0000", b"", message), *rest) for message, *rest in played.queue.finished]
