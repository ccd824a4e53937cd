"""SPF: against a real name server, by the RFC's own examples, and records that were made to cost us something."""

import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsmtpd.checks.base import LookupFailedError
from qsmtpd.lookups import warmspf
from qsmtpd.lookups.dnssocket import Server
from qsmtpd.lookups.resolver import Resolver
from qsmtpd.lookups.spf import evaluate
from qsmtpd.rules.atonce import complete
from tests.nameservers import nsd, open_directory
from tests.onloop import on_loop

ROOT = Path(__file__).parents[3]

Ask = Callable[[bytes, str], tuple[bytes, ...]]

ZONE = r"""
pass       TXT "v=spf1 ip4:192.0.2.0/24 -all"
fail       TXT "v=spf1 -all exp=why.example.test"
why        TXT "%{i} is not one of %{d}'s hosts, says %{r}"
softfail   TXT "v=spf1 ~all"
neutral    TXT "v=spf1 ?all"
open       TXT "v=spf1"
nothing    TXT "no spf here"
two        TXT "v=spf1 -all"
two        TXT "v=spf1 +all"
typo       TXT "v=spf1 ipv4:192.0.2.1 -all"
split      TXT "v=spf1 ip4:192.0." "2.0/24 -all"
a          TXT "v=spf1 a -all"
a          A   192.0.2.1
six        TXT "v=spf1 a -all"
six        AAAA 2001:db8::1
mx         TXT "v=spf1 mx -all"
mx         MX  10 a.example.test.
mx         MX  20 six.example.test.
include    TXT "v=spf1 include:fail.example.test include:pass.example.test -all"
redirect   TXT "v=spf1 redirect=pass.example.test"
loop       TXT "v=spf1 include:loop2.example.test -all"
loop2      TXT "v=spf1 include:loop.example.test -all"
self       TXT "v=spf1 redirect=self.example.test"
exists     TXT "v=spf1 exists:%{ir}.%{l1r-}.list.%{d} -all"
1.2.0.192.joe.list.exists A 127.0.0.2
alias      CNAME pass
voids      TXT "v=spf1 a:no1.example.test a:no2.example.test a:no3.example.test +all"
twovoids   TXT "v=spf1 a:no1.example.test a:no2.example.test +all"
lastvoid   TXT "v=spf1 a:no1.example.test a:no2.example.test exists:no3.example.test"
eleven     TXT "v=spf1 a a a a a a a a a a a +all"
ten        TXT "v=spf1 a a a a a a a a a a +all"
eleven     A   203.0.113.1
ten        A   203.0.113.1
manymx     TXT "v=spf1 mx +all"
""" + "".join(f"manymx MX {i} h{i}.example.test.\nh{i} A 203.0.113.9\n" for i in range(11)) + """
ptr        TXT "v=spf1 ptr -all"
p          TXT "v=spf1 exists:%{p}.example.test -all"
""" + "".join(f'chain{i} TXT "v=spf1 include:chain{i + 1}.example.test -all"\n' for i in range(12)) + """
chain12    TXT "v=spf1 +all"
"""

REVERSE = "1 PTR host.ptr.example.test.\n" + "".join(f"9 PTR n{i}.example.test.\n" for i in range(60))


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Our own resolver in front of nsd, as a cold program has it; each question is of a new session."""
    zones = {"example.test": ZONE + "host.ptr A 192.0.2.1\n", "2.0.192.in-addr.arpa": REVERSE}
    with open_directory() as place, nsd(place, zones) as port:
        yield lambda name, kind: complete(Resolver([Server("127.0.0.1", port)], 10).ask(name, kind))


@pytest.fixture(params=["blocking", "warm"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a process of one session has it, then in turns, as the listener has it."""
    with on_loop() as running:
        def evaluate_warm(ip: bytes, sender: bytes, helo: bytes, receiver: bytes, ask: Ask) -> tuple[str, bytes]:
            return running.complete(warmspf.evaluate(ip, sender, helo, receiver, Asked(ask)))

        if request.param == "warm":
            monkeypatch.setitem(globals(), "evaluate", evaluate_warm)
        yield


both = pytest.mark.usefixtures("either")


class Asked:
    """A Dns with answers of a function."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def ask(self, name: bytes, kind: str) -> tuple[bytes, ...]:
        return self._ask(name, kind)

    async def prefetch(self, questions: Sequence[tuple[bytes, str]]) -> None: ...

    def strike(self, zone: bytes, strikes: int = 1) -> bool:
        return False

    def clear(self, zone: bytes) -> None: ...


@both
@pytest.mark.parametrize(("domain", "result"), [
    ("pass", "pass"), ("fail", "fail"), ("softfail", "softfail"), ("neutral", "neutral"), ("open", "neutral"),
    ("nothing", "none"), ("nowhere", "none"), ("two", "permerror"), ("typo", "permerror"), ("split", "pass"), ("a", "pass"),
    ("mx", "pass"), ("include", "pass"), ("redirect", "pass"), ("exists", "pass"), ("alias", "pass"), ("ptr", "pass"),
    ("six", "fail")])
def test_results(ask: Ask, domain: str, result: str) -> None:
    found, _ = evaluate(b"192.0.2.1", f"joe@{domain}.example.test".encode(), b"h.example.test", b"mx.example.org", ask)

    assert found == result


@both
@pytest.mark.parametrize(("domain", "result"), [
    ("eleven", "permerror"), ("ten", "pass"), ("voids", "permerror"), ("twovoids", "pass"), ("lastvoid", "permerror"),
    ("loop", "permerror"), ("self", "permerror"), ("manymx", "permerror"), ("chain0", "permerror"), ("chain2", "pass")])
def test_limits(ask: Ask, domain: str, result: str) -> None:
    """A96, RFC 7208 section 4.6.4: ten terms that ask, two void answers, ten names behind mx."""
    asked = []

    def counted(name: bytes, kind: str) -> tuple[bytes, ...]:
        asked.append(name)
        return ask(name, kind)

    assert evaluate(b"192.0.2.1", f"joe@{domain}.example.test".encode(), b"h", b"me", counted)[0] == result
    assert len(asked) <= 30


@both
def test_ipv6(ask: Ask) -> None:
    assert evaluate(b"2001:db8::1", b"joe@six.example.test", b"h", b"me", ask)[0] == "pass"
    assert evaluate(b"2001:db8::1", b"joe@mx.example.test", b"h", b"me", ask)[0] == "pass"
    assert evaluate(b"::ffff:192.0.2.1", b"joe@a.example.test", b"h", b"me", ask)[0] == "pass"


@both
def test_the_null_sender_is_the_postmaster_of_helo(ask: Ask) -> None:
    assert evaluate(b"192.0.2.1", b"", b"pass.example.test", b"me", ask)[0] == "pass"
    assert evaluate(b"198.51.100.1", b"", b"pass.example.test", b"me", ask)[0] == "fail"


@both
@pytest.mark.parametrize("helo", [b"", b"localhost", b"[192.0.2.1]", b"a..b", b"x" * 64 + b".example", b"\xff.example", b"."])
def test_a_helo_that_is_no_domain(helo: bytes) -> None:
    """RFC 7208 section 4.3."""
    assert evaluate(b"192.0.2.1", b"", helo, b"me", nobody) == ("none", b"")


def nobody(name: bytes, kind: str) -> tuple[bytes, ...]:
    raise AssertionError("nobody had to be asked")


@both
def test_the_explanation(ask: Ask) -> None:
    _, text = evaluate(b"192.0.2.1", b"joe@fail.example.test", b"h", b"mx.example.org", ask)

    assert text == b"192.0.2.1 is not one of fail.example.test's hosts, says mx.example.org"


def records(**texts: bytes) -> Ask:
    """A DNS of TXT records."""
    known = {name.replace("_", ".").encode(): text for name, text in texts.items()}
    return lambda name, kind: (known[name],) if kind == "TXT" and name in known else ()


@both
@pytest.mark.parametrize(("text", "shown"), [
    (b"no\r\n250 ok", b"no??250 ok"), (b"x" * 500, b"x" * 200), ("nö".encode(), b""), (b"%{x}", b""), (b"%{l}", b"joe"),
    (b"x" * 600, b""), (b"\x1b[2J", b"?[2J")])
def test_an_explanation_is_printable_and_short(text: bytes, shown: bytes) -> None:
    """A44, A97; what is no text, or too long, is none, and the result is the same."""
    found = evaluate(b"192.0.2.1", b"joe@d.test", b"h", b"me", records(d_test=b"v=spf1 -all exp=why.test", why_test=text))

    assert found == ("fail", shown)


@both
@pytest.mark.parametrize("sender", [b'"joe\r\nx"@d.test', b"j\xf6e@d.test", b"a@b@d.test", b"@d.test", b"x" * 400 + b"@d.test"])
def test_odd_local_parts(sender: bytes) -> None:
    """A97: they reach the DNS as part of a name that can be asked for, or not at all."""
    asked: list[bytes] = []

    def ask(name: bytes, kind: str) -> tuple[bytes, ...]:
        asked.append(name)
        return (b"v=spf1 exists:%{l}.%{d} -all",) if kind == "TXT" else ()

    assert evaluate(b"192.0.2.1", sender, b"h", b"me", ask)[0] == "fail"
    assert asked[0] == b"d.test"
    assert all(name.isascii() and len(name) <= 253 for name in asked)


@both
def test_a_domain_beyond_ascii() -> None:
    """RFC 8616."""
    ask = records(**{"xn--bcher-kva_test": b"v=spf1 +all"})

    assert evaluate(b"192.0.2.1", "joe@bücher.test".encode(), b"h", b"me", ask)[0] == "pass"


@both
def test_no_answer_is_no_result() -> None:
    def ask(name: bytes, kind: str) -> tuple[bytes, ...]:
        raise LookupFailedError("SERVFAIL\r\n")

    with pytest.raises(LookupFailedError, match="SPF: ") as caught:
        evaluate(b"192.0.2.1", b"joe@d.test", b"h", b"me", ask)
    assert str(caught.value).isprintable()


@both
def test_an_error_behind_ptr_is_no_match() -> None:
    """RFC 7208 section 5.5."""
    def ask(name: bytes, kind: str) -> tuple[bytes, ...]:
        if kind == "TXT":
            return (b"v=spf1 ptr -all",)
        raise LookupFailedError("SERVFAIL")

    assert evaluate(b"192.0.2.1", b"joe@d.test", b"h", b"me", ask)[0] == "fail"


@both
@pytest.mark.parametrize("ip", [b"unknown", b"", b"192.0.2", b"list"])
def test_a_client_without_an_address(ip: bytes) -> None:
    with pytest.raises(LookupFailedError, match="address"):
        evaluate(ip, b"joe@d.test", b"h", b"me", nobody)


@both
def test_an_address_with_very_many_names(ask: Ask) -> None:
    """A96: ten of them are looked at, and each macro p is one of the ten terms."""
    asked = []

    def counted(name: bytes, kind: str) -> tuple[bytes, ...]:
        asked.append(name)
        return ask(name, kind)

    evaluate(b"192.0.2.9", b"joe@ptr.example.test", b"h", b"me", counted)
    evaluate(b"192.0.2.9", b"joe@p.example.test", b"h", b"me", counted)

    assert len(asked) <= 2 * 13


HOSTILE = [
    b"v=spf1 " + b"." * 4000,
    b"v=spf1 a:" + b".%%" * 1300,
    b"v=spf1 exists:" + b"%{l}" * 1000,
    b"v=spf1 " + b"a:%{l}%{l}%{l} " * 250,
    b"v=spf1 " + b"a " * 2000,
    b"v=spf1 exists:%{l" + b"9" * 400 + b"}.test",
    b"v=spf1 ip4:" + b"1." * 1500,
    b"v=spf1 a/" + b"9" * 4000,
    b"v=spf1 " + b"exp=why.test " * 300,
    b"v=spf1 " + b"x=%{d} " * 500,
    b"v=spf1 " + b" " * 60000 + b"+all",
    b"v=spf1 " + b"include:%{l}.%{o}.%{h}.test " * 100,
    b"v=spf1 redirect=%{l}%{l}%{l}%{l}.d.test",
    b"v=spf1 a:" + b"%" * 500,
]


@pytest.mark.parametrize(("records", "result"), [
    ([b"v=spf1 " + b"ip4:10.0.0.0/16 " * 250 + b"-all"], "fail"),
    ([b"v=spf1 " + b"ip4:10.0.0.0/16 " * 256 + b"-all"], "permerror"),
    ([b"v=spf1 " + b"ip6:::1 " * 300 + b"-all"], "fail"),
    ([b"v=spf1 " + b"ip6:::1 " * 500 + b"-all"], "permerror"),
    ([b"v=spf1 " + b"".join(b"x%d=%%{d} " % i for i in range(59)) + b"-all"], "fail"),
    ([b"v=spf1 " + b"".join(b"x%d=%%{d} " % i for i in range(61)) + b"-all"], "permerror"),
    ([b"v=spf1 include:%d.test -all " % i + b"ip4:10.0.0.0/16 " * 60 for i in range(1, 9)] + [b"v=spf1 +all"], "pass"),
    ([b"v=spf1 include:%d.test -all " % i + b"ip4:10.0.0.0/16 " * 200 for i in range(1, 9)] + [b"v=spf1 +all"], "permerror")])
def test_how_much_may_be_read(records: list[bytes], result: str) -> None:
    """A96: so one evaluation is some milliseconds, and no site's own record is refused: a large one has 30 terms."""
    known = {(b"%d.test" % i, "TXT"): (record,) for i, record in enumerate(records)}

    assert evaluate(b"192.0.2.1", b"joe@0.test", b"h", b"me", lambda *asked: known.get(asked, ()))[0] == result


@both
@pytest.mark.parametrize("record", HOSTILE, ids=range(len(HOSTILE)))
def test_records_made_to_cost(record: bytes) -> None:
    """A96: whatever stands there, and whatever the sender is called, it is over soon."""
    def ask(name: bytes, kind: str) -> tuple[bytes, ...]:
        return (record,) if kind == "TXT" else (b"d.test",)

    begin = time.process_time()
    for local in (b"joe", b"-" * 800, b"." * 800):
        try:
            evaluate(b"192.0.2.1", local + b"@d.test", b"h.test", b"me", ask)
        except LookupFailedError:
            pass
    assert time.process_time() - begin < 5


TERMS = st.sampled_from([
    "a", "mx", "ptr", "all", "-all", "include:d.test", "redirect=d.test", "exists:%{ir}.%{v}.d.test", "a:%{p}", "exp=%{d}",
    "ip4:1.2.3.4", "ip6:::1/64", "a/24//64", "%{", "=", "?", "%{l1r-}.x.y", "mx:%{o2r.-}.test", "x=%{h}", "", "ip4:", "v=spf1"])


@settings(max_examples=200)
@given(st.lists(TERMS | st.text(max_size=12), max_size=14), st.text(max_size=20), st.binary(max_size=20))
def test_any_record(terms: list[str], local: str, answer: bytes) -> None:
    """A result or a LookupFailedError, nothing else, after a bounded number of questions."""
    asked = []

    def ask(name: bytes, kind: str) -> tuple[bytes, ...]:
        asked.append(name)
        record = ("v=spf1 " + " ".join(terms)).encode()
        return (record,) if kind == "TXT" else (answer,) * 12

    try:
        result, text = evaluate(b"192.0.2.1", local.encode() + b"@d.test", b"h.test", b"me", ask)
    except LookupFailedError:
        return
    assert result in ("pass", "fail", "softfail", "neutral", "none", "permerror")
    assert text.isascii()
    assert len(asked) < 150


def test_what_it_imports() -> None:
    """Without dnspython and the e-mail package, which pyspf would bring and nobody would use; and they can still be had."""
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({sysconfig.get_path('purelib')!r})\n"
        "import qsmtpd.lookups.spf\n"
        "heavy = {'dns', 'dns.resolver', 'email', 'email.message', 'asyncio', 'ssl', 'logging', 'http'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import dns.resolver, email.message\n"
        "assert dns.resolver.Resolver and email.message.Message")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
