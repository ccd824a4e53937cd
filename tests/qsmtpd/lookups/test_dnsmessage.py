"""The wire format, with dnspython as the oracle; and answers that no honest server sends."""

import struct

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsmtpd.lookups import dnsmessage
from qsmtpd.lookups.dnsmessage import KINDS, MessageError

LABEL = st.text("abcXYZ019-_", min_size=1, max_size=63).map(str.encode)
NAMES = st.lists(LABEL, min_size=1, max_size=6).map(b".".join).filter(lambda name: len(name) <= 250)
ADDRESSES = st.tuples(*[st.integers(0, 255)] * 4).map(lambda octets: ".".join(map(str, octets)))
GROUPS = st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8)
ADDRESSES6 = GROUPS.map(lambda groups: ":".join(f"{group:x}" for group in groups))
STRINGS = st.lists(st.binary(max_size=255), min_size=1, max_size=4)


def value(kind: str) -> st.SearchStrategy[str]:
    """What a record of that kind says, as a zone file has it."""
    names = NAMES.map(lambda name: name.decode() + ".")
    if kind == "MX":
        return st.tuples(st.integers(0, 65535), st.just("x.") | names).map(lambda pair: f"{pair[0]} {pair[1]}")
    if kind == "TXT":
        return STRINGS.map(lambda parts: " ".join('"' + "".join(f"\\{byte:03d}" for byte in part) + '"' for part in parts))
    return {"A": ADDRESSES, "AAAA": ADDRESSES6, "PTR": names}[kind]


def spoken(kind: str, rdata: "dns.rdata.Rdata") -> bytes:
    """A record as Dns.ask() gives it."""
    if kind == "TXT":
        return b"".join(rdata.strings)
    if kind in ("A", "AAAA"):
        return rdata.address.encode()
    name = rdata.exchange if kind == "MX" else rdata.target
    return name.to_text(omit_final_dot=True).lower().encode() if name != dns.name.root else b""


@given(name=NAMES, kind=st.sampled_from(sorted(KINDS)), identity=st.binary(min_size=2, max_size=2), edns=st.booleans())
def test_dnspython_reads_our_queries(name: bytes, kind: str, identity: bytes, edns: bool) -> None:
    query = dns.message.from_wire(dnsmessage.query(identity, dnsmessage.question(name, kind), edns))

    assert query.id == int.from_bytes(identity, "big")
    assert query.flags == dns.flags.RD
    assert [(each.name.to_text(True).encode(), each.rdtype) for each in query.question] == [(name, KINDS[kind])]
    assert (query.edns, query.payload) == ((0, 1232) if edns else (-1, 0))


@pytest.mark.parametrize("name", [
    b"", b".", b"a..b", b".a", b"a" * 64, b".".join([b"a" * 49] * 6), b"a.", b".".join([b"a"] * 128)])
def test_names_that_cannot_exist(name: bytes) -> None:
    with pytest.raises(ValueError, match="too long"):
        dnsmessage.question(name, "A")


def response(name: bytes, kind: str, values: list[str], aliases: int = 0) -> tuple[bytes, bytes]:
    """(the question, an answer as dnspython compresses it, through so many CNAMEs)."""
    query = dns.message.make_query(dns.name.from_text(name.decode()), kind)
    answer = dns.message.make_response(query)
    owner = query.question[0].name
    for i in range(aliases):
        target = dns.name.from_text(f"alias{i}.{name.decode()[:200]}")
        answer.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", target.to_text()))
        owner = target
    if values:
        answer.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *values))
    return dnsmessage.question(name, kind), answer.to_wire()


SHORT = st.lists(st.text("abcXYZ", min_size=1, max_size=20).map(str.encode), min_size=1, max_size=4).map(b".".join)


@given(name=SHORT, data=st.data(), kind=st.sampled_from(sorted(KINDS)), aliases=st.integers(0, 5))
def test_we_read_what_dnspython_writes(name: bytes, data: st.DataObject, kind: str, aliases: int) -> None:
    values = data.draw(st.lists(value(kind), max_size=5, unique=True))
    asked, wire = response(name, kind, values, aliases)
    read = [rdata for each in dns.message.from_wire(wire).answer if each.rdtype == KINDS[kind] for rdata in each]
    if kind == "MX":
        read.sort(key=lambda rdata: int(rdata.preference))

    assert dnsmessage.belongs(wire, wire[:2], asked)
    assert dnsmessage.records(wire, asked, kind) == tuple(spoken(kind, rdata) for rdata in read)


def test_mail_exchangers_stand_in_their_order_and_a_null_mx_is_empty() -> None:
    asked, wire = response(b"a.test", "MX", ["20 B.test.", "5 c.test.", "10 d.test."])
    assert dnsmessage.records(wire, asked, "MX") == (b"c.test", b"d.test", b"b.test")

    asked, wire = response(b"a.test", "MX", ["0 ."])
    assert dnsmessage.records(wire, asked, "MX") == (b"",)


@given(wire=st.binary(max_size=600), kind=st.sampled_from(sorted(KINDS)))
def test_any_bytes_are_an_answer_or_a_message_error(wire: bytes, kind: str) -> None:
    """A94: nothing else is ever raised, nothing runs for ever."""
    asked = dnsmessage.question(b"a.test", kind)
    message = b"\0\0\x81\x80\0\1\0\5\0\0\0\0" + asked + wire
    assert dnsmessage.belongs(message, b"\0\0", asked)

    try:
        assert isinstance(dnsmessage.records(message, asked, kind), tuple)
    except MessageError:
        pass


@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
def test_a_damaged_answer_is_an_answer_or_a_message_error(data: st.DataObject, kind: str) -> None:
    """A94: cut off anywhere, bytes changed."""
    asked, wire = response(b"mail.example.test", kind, data.draw(st.lists(value(kind), min_size=1, max_size=3)), 2)
    bad = bytearray(wire[:data.draw(st.integers(12 + len(asked), len(wire)))])
    for _ in range(data.draw(st.integers(0, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.sampled_from([0, 1, 12, 0x3F, 0x40, 0xC0, 0xFF]))

    try:
        assert isinstance(dnsmessage.records(bytes(bad), asked, kind), tuple)
    except MessageError:
        pass


@given(cut=st.data())
def test_what_is_cut_off_in_its_answers_is_no_answer(cut: st.DataObject) -> None:
    asked, wire = response(b"mail.example.test", "TXT", ['"one" "two"', '"three"'])
    end = len(wire)

    with pytest.raises(MessageError):
        dnsmessage.records(wire[:cut.draw(st.integers(12 + len(asked), end - 1))], asked, "TXT")


ASKED = dnsmessage.question(b"a.test", "A")
START = 12 + len(ASKED)


def answer(*records: bytes, count: int | None = None, asked: bytes = ASKED) -> bytes:
    header = b"\0\0\x81\x80\0\1" + struct.pack(">HI", len(records) if count is None else count, 0)
    return header + asked + b"".join(records)


def record(owner: bytes, kind: int, data: bytes, size: int | None = None) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data) if size is None else size) + data


SELF = struct.pack(">H", 0xC000 | START)
FIRST = b"\xc0\x0c"


@pytest.mark.parametrize("message", [
    answer(record(SELF, 1, b"\1\2\3\4")),
    answer(record(struct.pack(">H", 0xC000 | START + 2), 1, b"\1\2\3\4")),
    answer(record(b"\1a" + SELF, 1, b"\1\2\3\4")),
    answer(record(b"\xff\xff", 1, b"\1\2\3\4")),
    answer(record(b"\x40" + b"a" * 64 + b"\0", 1, b"\1\2\3\4")),
    answer(record(b"\x3f" + b"a" * 63, 1, b"")[:40]),
    answer(record((b"\x3f" + b"a" * 63) * 4 + b"\0", 1, b"\1\2\3\4")),
    answer(record(b"\1a" * 200 + b"\0", 1, b"\1\2\3\4")),
    answer(record(FIRST, 1, b"\1\2\3")),
    answer(record(FIRST, 1, b"\1\2\3\4\5")),
    answer(record(FIRST, 1, b"\1\2\3\4", size=5)),
    answer(record(FIRST, 1, b"\1\2\3\4", size=65535)),
    answer(record(FIRST, 5, b"\1b\0", size=2), record(b"\0", 1, b"\1\2\3\4")),
    answer(record(FIRST, 5, b"")),
    answer(count=1),
    answer(record(FIRST, 1, b"\1\2\3\4"), count=2),
    answer(*[record(FIRST, 1, b"\1\2\3\4")] * 1001),
], ids=[
    "pointer to itself", "pointer forward", "loop through a label", "pointer past the end", "label of 64", "label past the end",
    "name of 257", "name of 401", "address of 3", "address of 5", "length one too much", "length past the end", "alias cut",
    "alias empty", "no record", "one record too few", "1001 records"])
def test_malformed(message: bytes) -> None:
    """A94."""
    with pytest.raises(MessageError):
        dnsmessage.records(message, ASKED, "A")


def test_a_thousand_addresses() -> None:
    assert len(dnsmessage.records(answer(*[record(FIRST, 1, b"\1\2\3\4")] * 1000), ASKED, "A")) == 1000


@pytest.mark.parametrize(("kind", "data"), [
    ("TXT", b""), ("TXT", b"\2a"), ("TXT", b"\1a\xff"), ("MX", b""), ("MX", b"\0\1"), ("MX", b"\0\1\xc0"),
    ("MX", b"\0\1\1a\0\0"), ("AAAA", b"\1\2\3\4"), ("AAAA", bytes(17)), ("PTR", b""), ("PTR", b"\1a"), ("PTR", b"\0\0")])
def test_malformed_data(kind: str, data: bytes) -> None:
    asked = dnsmessage.question(b"a.test", kind)

    with pytest.raises(MessageError):
        dnsmessage.records(answer(record(FIRST, KINDS[kind], data), asked=asked), asked, kind)


def test_the_largest_text_there_can_be() -> None:
    """A94: a TXT record of what fits into 65,535 bytes, and an empty one."""
    asked = dnsmessage.question(b"a.test", "TXT")
    room = 65535 - len(answer(record(FIRST, 16, b""), asked=asked))
    strings = (b"\xff" + b"x" * 255) * (room // 256)

    largest = answer(record(FIRST, 16, strings), asked=asked)

    assert dnsmessage.records(largest, asked, "TXT") == (b"x" * (room // 256 * 255),)
    assert dnsmessage.records(answer(record(FIRST, 16, b"\0"), asked=asked), asked, "TXT") == (b"",)


def alias(owner: bytes, target: bytes) -> bytes:
    return record(owner, 5, target)


def test_aliases() -> None:
    """A94: a chain of sixteen names is followed, one of seventeen or a circle is an error; a chain to nowhere is no record."""
    names = [b"\1" + bytes([0x61 + i]) + b"\0" for i in range(17)]
    chain = [alias(FIRST, names[0])] + [alias(names[i], names[i + 1]) for i in range(16)]

    assert dnsmessage.records(answer(*chain[:15], record(names[14], 1, b"\1\2\3\4")), ASKED, "A") == (b"1.2.3.4",)
    assert dnsmessage.records(answer(*chain[:15]), ASKED, "A") == ()
    with pytest.raises(MessageError):
        dnsmessage.records(answer(*chain, record(names[16], 1, b"\1\2\3\4")), ASKED, "A")
    with pytest.raises(MessageError):
        dnsmessage.records(answer(alias(FIRST, b"\1b\0"), alias(b"\1b\0", FIRST)), ASKED, "A")
    with pytest.raises(MessageError):
        dnsmessage.records(answer(alias(FIRST, FIRST)), ASKED, "A")


def test_records_of_others_do_not_count() -> None:
    """What is not about the name that was asked, of another class or another kind, is left alone."""
    other = b"\5other" + FIRST
    chaos = FIRST + struct.pack(">HHIH", 1, 3, 60, 4) + b"\1\2\3\4"

    assert dnsmessage.records(answer(record(other, 1, b"\1\2\3\4"), chaos, record(FIRST, 99, b"zz")), ASKED, "A") == ()


def test_no_label_looks_like_two() -> None:
    """A41: a dot within a label of a client's name."""
    asked = dnsmessage.question(b"a.test", "PTR")
    target = b"\x0fmail.Gmail\\.com\4evil\0"

    assert dnsmessage.records(answer(record(FIRST, 12, target), asked=asked), asked, "PTR") == (rb"mail\.gmail\\\.com.evil",)


SENT = dnsmessage.query(b"\x12\x34", ASKED, True)


@pytest.mark.parametrize(("message", "right"), [
    (b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0" + ASKED, True),
    (b"\x12\x34\x81\x83\0\1\0\0\0\0\0\0" + ASKED.replace(b"test", b"tEST"), True),
    (b"\x12\x34\x81\x81\0\0\0\0\0\0\0\0", True),
    (b"\x12\x34\x81\x84\0\0\0\0\0\0\0\0", True),
    (b"\x12\x34\x81\x80\0\0\0\0\0\0\0\0", False),
    (b"\x12\x34\x81\x82\0\0\0\0\0\0\0\0", False),
    (b"\x12\x35\x81\x80\0\1\0\0\0\0\0\0" + ASKED, False),
    (b"\x12\x34\x01\x80\0\1\0\0\0\0\0\0" + ASKED, False),
    (b"\x12\x34\x89\x80\0\1\0\0\0\0\0\0" + ASKED, False),
    (b"\x12\x34\x81\x80\0\2\0\0\0\0\0\0" + ASKED, False),
    (b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0" + dnsmessage.question(b"b.test", "A"), False),
    (b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0" + dnsmessage.question(b"a.test", "AAAA"), False),
    (b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0" + ASKED[:-1], False),
    (b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0" + ASKED[:-1] + b"\3", False),
    (SENT, False), (SENT[:11], False), (b"", False), (b"\x12\x34", False),
], ids=[
    "ours", "in other letters", "FORMERR without question", "NOTIMP without question", "no question",
    "SERVFAIL without question", "other identity", "a query", "other opcode", "two questions", "other name", "other kind",
    "cut", "other class", "echo", "11 bytes", "empty", "identity only"])
def test_only_the_response_to_the_query_belongs_to_it(message: bytes, right: bool) -> None:
    """A93."""
    assert dnsmessage.belongs(message, SENT, ASKED) is right


def test_a_server_that_asks_nobody_is_lame() -> None:
    assert dnsmessage.lame(b"\0\0\x80\0\0\1\0\0\0\1\0\0")
    assert not dnsmessage.lame(b"\0\0\x84\0\0\1\0\0\0\1\0\0")
    assert not dnsmessage.lame(b"\0\0\x80\x80\0\1\0\0\0\1\0\0")
    assert not dnsmessage.lame(b"\0\0\x80\0\0\1\0\1\0\0\0\0")
