"""SPF (RFC 7208) by pyspf, whose questions go to our DNS, and whose work is bounded (A96).

pyspf counts the terms that ask, the void answers, and the names behind mx and ptr.  Besides, %{p} counts here as RFC 7208 wants
it in section 4.6.4, an error behind ptr is no match (section 5.5), a record and a term have a size, and all together a time.
docs/spf.md says what it costs.
"""

import sys
import time

from ..checks.base import LookupFailedError
from ..netblock import address as parsed_address
from ..qmail.logline import quote

SECONDS = 20.0
"""For one evaluation (RFC 7208 section 4.6.4: at least 20)."""
RECORD_MAX = 4096
"""Bytes of a record; RFC 7208 section 3.4 wants 512."""
TERM_MAX = 512
MACROS_MAX = 20
"""Of a term, or of an explanation.  A local part of 900 bytes in each of a thousand macros would be work for seconds."""
RECORD_MACROS_MAX = 60
RECORD_TERMS_MAX = 400
RECORDS_MAX = 16384
"""Bytes of all records of an evaluation.  With these three it takes 5 ms at most; the listener's other sessions wait for it."""
NAME_MAX = 253
NAMES_MAX = 10
"""Names behind an address that ptr looks at."""
EXPLANATION_MAX = 200

_TO_PRINTABLE = bytes(byte if 0x20 <= byte < 0x7F else ord("?") for byte in range(256))

_NOT_USED = ("dns", "dns.resolver", "dns.exception", "email.message")
"""What pyspf imports for a resolver and a header field of its own: nine tenths of the time that its import takes."""


def _library() -> "ModuleType":
    """pyspf, imported with empty stand-ins for what we do not use of it, when nobody has imported that yet."""
    absent = [name for name in _NOT_USED if name not in sys.modules]
    for name in absent:
        sys.modules[name] = module = type(sys)(name)
        module.__dict__.update(Message=None, SPF=99)
    dns = sys.modules["dns"]
    if "dns" in absent:
        dns.__dict__.update(resolver=sys.modules["dns.resolver"], exception=sys.modules["dns.exception"], rdatatype=dns)
    try:
        import spf  # type: ignore[import-untyped]  # noqa: PLC0415 - now that the stand-ins are there
    finally:
        for name in absent:
            del sys.modules[name]
    library: ModuleType = spf
    return library


spf = _library()


class _Query(spf.query):  # type: ignore[misc,name-defined]  # pyspf has no types
    """One evaluation: pyspf's, with our questions and bounds."""

    def __init__(self, ip: str, sender: tuple[str, str], helo: str, receiver: str, *, ask: "Ask") -> None:
        super().__init__(i=ip, s="@".join(sender), h=helo, receiver=receiver, strict=True)
        self.l, self.o = sender
        self.d = self.o
        self._ask = ask
        self._deadline = time.monotonic() + SECONDS
        self._read = 0

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
        """The answers in pyspf's forms; a name that cannot be asked for has none (RFC 7208 section 4.3, RFC 8616 section 4)."""
        if time.monotonic() > self._deadline:
            raise spf.TempError(f"not done in {SECONDS:.0f} s")
        name = name.removesuffix(".").lower()
        if not name.isascii() or len(name) > NAME_MAX or not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        try:
            found = self._ask(name.encode("ascii"), qtype)
        except LookupFailedError as error:
            raise spf.TempError(str(error)) from error
        if qtype == "TXT":
            self._count_records(found)
        answers = _converted(found, qtype)
        if not answers and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"more than {spf.MAX_VOID_LOOKUPS} void look-ups")
        return answers

    def _count_records(self, found: tuple[bytes, ...]) -> None:
        records = [text for text in found if text[:6].lower() == b"v=spf1"]
        self._read += sum([len(text) for text in records])
        if self._read > RECORDS_MAX or any(_is_too_much(text) for text in records):
            raise spf.PermError("a record that is too long, or records")

    def expand(self, text: str, stripdot: bool = True) -> str:
        """The text with its macros replaced; pyspf's own work grows with the square of its length."""
        if len(text) > TERM_MAX or text.count("%") > MACROS_MAX:
            raise spf.PermError("a term that is too long")
        expanded: str = super().expand(text, stripdot)
        return expanded

    def getp(self) -> str:
        if not self.p:
            self.check_lookups()
        validated: str = super().getp()
        return validated

    def validated_ptrs(self) -> list[str]:
        """Names of the client's address that have that address; what cannot be looked up is none."""
        try:
            names = self.dns_ptr(self.i)[:NAMES_MAX]
        except spf.TempError:
            return []
        return [name for name in names if self._has_client(name)]

    def _has_client(self, name: str) -> bool:
        try:
            return bool(self.cidrmatch(self.dns_a(name, self.A), self.cidrmax))
        except spf.TempError:
            return False


def evaluate(ip: bytes, sender: bytes, helo: bytes, receiver: bytes, ask: "Ask") -> tuple[str, bytes]:
    """(result, explanation): see Callouts.spf.

    sender    the whole address; b"" is postmaster@helo
    receiver  our name, which an explanation may quote
    ask       the records of a name, as Dns.ask has them

    Raises:
        LookupFailedError: a temperror, or a fault of ours.
    """
    try:
        parsed_address(ip)
    except ValueError as error:
        raise LookupFailedError("SPF: the client's address is not known") from error
    local, _, host = (sender or b"postmaster@" + helo).rpartition(b"@")
    domain = _name(host)
    if "." not in domain:
        return "none", b""
    try:
        query = _Query(ip.decode("ascii"), (_text(local) or "postmaster", domain), _text(helo), _text(receiver), ask=ask)
        result, _, text = query.check()
    except Exception as error:  # a record that pyspf cannot read is no reason to end the session
        raise LookupFailedError(f"SPF: pyspf: {type(error).__name__}") from error
    if result == "temperror":
        raise LookupFailedError(f"SPF: {quote(_bytes(query.prob))}")
    if result != "fail" or text == spf.EXPLANATIONS["fail"]:
        return result, b""
    return result, _bytes(text).translate(_TO_PRINTABLE)[:EXPLANATION_MAX]


def _converted(answers: tuple[bytes, ...], qtype: str) -> list[object]:
    """The answers as pyspf has them: text, (preference, name), or the strings of a TXT record as bytes."""
    if qtype == "MX":
        return [(number, _text(name)) for number, name in enumerate(answers)]
    if qtype != "TXT":
        return [_text(answer) for answer in answers]
    return [(text,) for text in answers]


def _is_too_much(record: bytes) -> bool:
    return len(record) > RECORD_MAX or record.count(b"%") > RECORD_MACROS_MAX or record.count(b" ") > RECORD_TERMS_MAX


def _name(host: bytes) -> str:
    """The domain as the DNS has it (RFC 8616: an A-label for each U-label); "" when it is none, or an address literal."""
    if host.startswith(b"["):
        return ""
    try:
        return (host if host.isascii() else host.decode("utf-8").encode("idna")).decode("ascii").removesuffix(".")
    except UnicodeError:
        return ""


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Ask = Callable[[bytes, str], tuple[bytes, ...]]
