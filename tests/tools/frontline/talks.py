"""Rule files and sessions by chance, of words that need no network, and a site on which they mean something."""

import cdbx
from hypothesis import strategies as st

from qsmtpd.rules import site
from qsmtpd.rules.parse import RuleError, parse
from tests.conftest import QmailHome

TAGS = b"vip env VIP\nhome env FROM=home\nfriends sender friends\nstrict rcpt strict\n"
VOCABULARY = site.vocabulary(site.parse_tags(TAGS))

WORDS = ("relay", "null-sender", "valid", "invalid", "too-many-rcpt", "too-many-bad", "bounce-many", "helo-oneword",
         "helo-literal", "helo-none", "vip", "home", "friends", "strict", "badmailfrom", "badrcptto", "blocked", "banned")
FACTS = ("rcpt", "badrcpt", "goodrcpt", "mail-rcpt", "mail-badrcpt", "mail-goodrcpt", "badpercent", "accepted", "greetdelay")
SENDERS = ("", "a@friend.test", "b@bad.test", "c@other.test")
RECIPIENTS = ("good@bench.test", "strict@bench.test", "other@bench.test", "bad@bench.test", "worse@bench.test", "x@far.test")
NAMES = ("oneword", "[192.0.2.1]", "client.test")
ENVIRONMENTS: tuple[dict[str, bytes], ...] = (
    {}, {}, {"VIP": b""}, {"FROM": b"home"}, {"RELAYCLIENT": b""}, {"RBLSMTPD": b"-no"}, {"RBLSMTPD": b"later"})


def prepare(home: QmailHome) -> None:
    """Control files that give the words a meaning."""
    home.write("rcpthosts", "bench.test")
    (home.control / "tags").write_bytes(TAGS)
    home.write("friends", "@friend.test")
    home.write("strict", "strict@bench.test")
    home.write("badmailfrom", "@bad.test")
    home.write("badrcptto", "worse@bench.test")
    home.write("brtlimit", "2")
    home.write("maxrecipients", "3")
    with (home.control / "validrcptto.cdb").open("wb") as file:
        maker = cdbx.CDB.make(file)
        for name in ("good", "strict", "other", "worse"):
            maker.add(f"{name}@bench.test".encode(), b"")
        maker.commit()


def _atoms() -> st.SearchStrategy[str]:
    words = st.sampled_from(WORDS)
    compared = st.tuples(st.sampled_from(FACTS), st.sampled_from(["<", ">=", "=", ">"]), st.integers(0, 4)).map(
        lambda parts: " ".join(map(str, parts)))
    return st.one_of(words, words, words.map("!{}".format), words.map("unknown({})".format), compared, st.just("any"))


_SEVERAL = st.lists(_atoms(), min_size=2, max_size=3)
_EXPRESSIONS = st.one_of(_atoms(), _SEVERAL.map(" & ".join), _SEVERAL.map(" | ".join))
_ACTIONS = st.sampled_from((
    "accept", "accept", "refuse", "refuse@connect", "refuse@helo", "refuse@mail", 'refuse 554 5.7.1 "{reason}"', "defer",
    "defer@connect", "defer 50%", "close", "close@mail", "throttle 1", "throttle 2", "?refuse", "?close",
    'log "{helo} {sender}"', "tarpit 1", 'header "X-Rule: {rule}"', "quarantine", "discard"))


def _is_rule(line: str) -> bool:
    try:
        parse(line.encode(), VOCABULARY)
    except RuleError:
        return False
    return True


_LINES = st.lists(st.tuples(_EXPRESSIONS, _ACTIONS).map(" ".join).filter(_is_rule), max_size=6)
RULES = _LINES.map(lambda lines: "".join(f"{line}\n" for line in lines))

TRANSACTION = st.tuples(st.sampled_from(SENDERS), st.lists(st.sampled_from(RECIPIENTS), max_size=5), st.booleans())
MESSAGE = b"From: a\r\nTo: good@bench.test\r\n\r\nx\r\n"


def talk(parts: list[tuple[str | None, list[tuple[str, list[str], bool]]]], leaves: bool) -> bytes:
    """A whole session: names said in EHLO (None: nothing is said), each with transactions; with a message where it says so.

    The client does not wait whether it may: what it is not allowed is one refused command more.
    """
    lines = []
    for name, transactions in parts:
        lines += [] if name is None else [f"EHLO {name}\r\n"]
        for sender, recipients, sends in transactions:
            lines.append(f"MAIL FROM:<{sender}>\r\n")
            lines += [f"RCPT TO:<{recipient}>\r\n" for recipient in recipients]
            lines += ["DATA\r\n.\r\n"] if sends else []
    return "".join(lines).encode() + (b"" if leaves else b"QUIT\r\n")


TALKS = st.builds(
    talk, st.lists(st.tuples(st.none() | st.sampled_from(NAMES), st.lists(TRANSACTION, max_size=3)), max_size=3), st.booleans())
