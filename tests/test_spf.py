"""SPF from end to end: the real program as tcpserver starts it, rules, a real name server."""

import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import QmailHome
from tests.nameservers import nsd, open_directory
from tests.play import run_program

ROOT = Path(__file__).parent.parent
PROGRAM = (f"import sys; sys.path[:0] = [{str(ROOT)!r}]; sys.path.append({sysconfig.get_path('platlib')!r})\n"
           "from qsmtpd.main import main\nmain()")
RULES = """\
spf-fail           refuse 550 5.7.23 "{reason}"
unknown(spf-fail)  defer 451 4.4.3 "no answer from your domain's DNS"
"""
ZONE = r"""
good  TXT "v=spf1 ip4:192.0.2.0/24 -all"
bad   TXT "v=spf1 include:good.far.test -all exp=why.far.test"
why   TXT "%{i} does not send for %{d}"
soft  TXT "v=spf1 ~all"
"""

Answers = Callable[[bytes, bytes], bytes]


@pytest.fixture
def answer(qmail_home: QmailHome) -> Iterator[Answers]:
    """The answer to RCPT of a client, by its address and sender."""
    qmail_home.write("rcpthosts", "bench.test")
    qmail_home.write("rules", RULES)

    def said(ip: bytes, sender: bytes) -> bytes:
        talk = b"EHLO bad.far.test\r\nMAIL FROM:<%b>\r\nRCPT TO:<x@bench.test>\r\nQUIT\r\n" % sender
        env = {"DNSCACHEIP": b"127.0.0.1:%d" % port, "PROTO": b"TCP", "TCPREMOTEIP": ip}
        answers, log, code = run_program([sys.executable, "-I", "-S", "-c", PROGRAM], qmail_home, env, talk)
        assert code == 0, log
        return answers.split(b"\r\n")[-3]

    with open_directory() as place, nsd(place, {"far.test": ZONE}) as port:
        yield said


@pytest.mark.parametrize(("ip", "sender", "start"), [
    (b"192.0.2.1", b"joe@good.far.test", b"250 "),
    (b"198.51.100.1", b"joe@good.far.test", b"550 5.7.23 SPF: fail for good.far.test"),
    (b"192.0.2.1", b"joe@bad.far.test", b"250 "),
    (b"198.51.100.1", b"joe@bad.far.test", b"550 5.7.23 198.51.100.1 does not send for bad.far.test"),
    (b"198.51.100.1", b"", b"550 5.7.23 198.51.100.1 does not send for bad.far.test"),
    (b"198.51.100.1", b"joe@soft.far.test", b"250 "),
    (b"198.51.100.1", b"joe@nowhere.far.test", b"250 "),
    (b"198.51.100.1", b"joe@elsewhere.test", b"451 4.4.3 no answer"),
])
def test_what_the_client_is_told(answer: Answers, ip: bytes, sender: bytes, start: bytes) -> None:
    """A refusal has the domain's own words; a DNS without an answer (nsd refuses other zones) is a temporary failure."""
    assert answer(ip, sender).startswith(start)
