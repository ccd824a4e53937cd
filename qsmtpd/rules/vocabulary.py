"""The words of the rule language: every tag and fact there is, from which stage on it is known, and what it costs to ask.

docs/rules.md prints this table with the meanings of meanings.py; a site adds words of its own by control/tags (site.py).
"""

CONNECT, HELO, MAIL, RCPT, MESSAGE, CONTENT = range(6)
"""The stages.  CONTENT is the message stage of who has had the message scanned (qqshim): qsmtpd passes its words over."""

STAGES = ("connect", "helo", "mail", "rcpt", "message", "content")

AT_HAND, FILE, STORE, DNS, MANY_DNS, CALLOUT = range(6)
"""The costs, cheapest first: in memory, a file or cdb, the store, one DNS look-up, several, a talk with another server."""

COSTS = ("at hand", "file", "store", "dns", "several dns", "callout")


class Term:
    """A word: what an expression may name.

    kind   "tag" or "fact"; for a site's own tags also where they come from: "dnsbl", "dnswl", "rhsbl" ... (site.py)
    stage  from which stage on it is known
    cost   of asking
    check  the check that knows it
    """

    __slots__ = ("check", "cost", "kind", "stage")

    def __init__(self, kind: str, stage: int, cost: int, check: str) -> None:
        self.kind = kind
        self.stage = stage
        self.cost = cost
        self.check = check


def _terms() -> "dict[str, Term]":
    found: dict[str, Term] = {}
    for check, stage, cost, tags, facts in TABLE:
        if tags:
            found.update(dict.fromkeys(tags.split(), Term("tag", stage, cost, check)))
        if facts:
            found.update(dict.fromkeys(facts.split(), Term("fact", stage, cost, check)))
    return found


TABLE = (
    # check, stage, cost, tags, facts
    ("session", CONNECT, AT_HAND, "relay", "greetdelay greylist-delay"),
    ("blocked", CONNECT, FILE, "blocked banned rbl-pass", ""),
    ("machine", CONNECT, FILE, "", "load load-cpu memory psi-cpu psi-memory psi-io"),
    ("sessions", CONNECT, FILE, "", "sessions net-sessions"),
    ("rate", CONNECT, STORE, "", "rate net-rate"),
    ("rdns", CONNECT, DNS, "noptr ptr-unconfirmed ptr-generic", ""),
    ("earlytalk", CONNECT, CALLOUT, "earlytalk", ""),
    ("helo", HELO, FILE, "helo-none helo-oneword helo-literal helo-ours", ""),
    ("helodns", HELO, DNS, "helo-nodns helo-forged", ""),
    ("nullsender", MAIL, AT_HAND, "null-sender", ""),
    ("badmailfrom", MAIL, FILE, "badmailfrom", ""),
    ("oursender", MAIL, FILE, "sender-ours sender-unknown", ""),
    ("knowngood", MAIL, STORE, "known-good", ""),
    ("senderdns", MAIL, DNS, "sender-nodns sender-nullmx", ""),
    ("spf", MAIL, MANY_DNS, "spf-pass spf-fail spf-softfail spf-neutral spf-none spf-permerror", ""),
    ("sendercallout", MAIL, CALLOUT, "sender-ok sender-bad", ""),
    ("recipient", RCPT, AT_HAND, "valid invalid too-many-rcpt too-many-bad bounce-many",
     "rcpt badrcpt goodrcpt mail-rcpt mail-badrcpt mail-goodrcpt badpercent accepted"),
    ("badrcptto", RCPT, FILE, "badrcptto", ""),
    ("greylist", RCPT, STORE, "", "greylist-age"),
    ("size", MESSAGE, AT_HAND, "", "size hops"),
    ("header", MESSAGE, AT_HAND,
     ("header-broken header-huge from-many no-from no-date no-message-id not-addressed "
      "mime-mixed mime-alternative mime-html mime-plain mime-signed mime-encrypted mime-report"), ""),
    ("content", CONTENT, AT_HAND, "virus spam virus-unknown spam-unknown", "score"),
)
"""Which check knows what."""

TERMS = _terms()
