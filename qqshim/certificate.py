"""The field "X-Frontline-Verdict:", which goes with every message that is handed on; writer and reader side by side.

    X-Frontline-Verdict: v=1; t=1795262400; verdict=tag; tags=spam; score=6.5; rcpts=1;
     client=192.0.2.7; relay=0; from=0a1b...; id=2c3d...; mac=4e5f...

from and id are digests of the envelope sender and of the Message-ID: who holds the original can compare, nobody else learns an
address.  mac is HMAC-SHA-256, with the line in control/verdictkey as key, over everything before it as one line with single
blanks, so that folding does not matter.  It is left out when we may not read the key.
"""

from _operator import _compare_digest

from . import digest

NAME = b"X-Frontline-Verdict"
VERSION = b"1"
UNKNOWN = b"-"

_KEYS = (b"v", b"t", b"verdict", b"tags", b"score", b"rcpts", b"client", b"relay", b"from", b"id")
_FOLDED_BEFORE = b"client"
_MAC = b"mac"
_NUMBER = frozenset(b"0123456789")
_HEX = frozenset(b"0123456789abcdef")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
_ADDRESS = frozenset(b"0123456789abcdefABCDEF:.")
_LENGTH_MAX = 200


class Certificate:
    """What is certified.

    time        seconds since 1970
    verdict     "pass" or "tag"
    tags        lower-case words
    score       spamd's, in tenths; None when it was not asked or gave no answer
    recipients  their number
    client      the SMTP client's address; None when it came from no network client, or nobody trustworthy said
    relay       the client may relay (RELAYCLIENT); None as for client
    sender      digest of the envelope sender
    message_id  digest of the Message-ID; None when there is none
    """

    __slots__ = ("client", "message_id", "recipients", "relay", "score", "sender", "tags", "time", "verdict")

    def __init__(self, *, time: int, verdict: str, tags: tuple[str, ...], score: int | None, recipients: int,
                 client: bytes | None, relay: bool | None, sender: bytes, message_id: bytes | None) -> None:
        self.time = time
        self.verdict = verdict
        self.tags = tags
        self.score = score
        self.recipients = recipients
        self.client = client
        self.relay = relay
        self.sender = sender
        self.message_id = message_id

    def values(self) -> tuple[bytes, ...]:
        """In the order of the field."""
        return (
            VERSION, b"%d" % self.time, self.verdict.encode(), ",".join(self.tags).encode() or UNKNOWN,
            UNKNOWN if self.score is None else tenths(self.score).encode(), b"%d" % self.recipients,
            _address(self.client), UNKNOWN if self.relay is None else b"%d" % self.relay,
            self.sender, self.message_id or UNKNOWN)


def field(certificate: Certificate, key: bytes | None) -> bytes:
    """The whole field, LF at its end; signed when there is a key."""
    pairs = [b"%b=%b" % pair for pair in zip(_KEYS, certificate.values(), strict=True)]
    if key is not None:
        pairs.append(b"%b=%b" % (_MAC, digest.hmac(key, b"; ".join(pairs))))
    fold = _KEYS.index(_FOLDED_BEFORE)
    return b"%b: %b;\n %b\n" % (NAME, b"; ".join(pairs[:fold]), b"; ".join(pairs[fold:]))


def read(value: bytes, key: bytes | None) -> Certificate:
    """The certificate in the value of a field, folded or not.

    key  when given, the field must be signed with it; without it nothing is known about who wrote the field

    Raises:
        ValueError: it is none, or was not signed with this key.
    """
    pairs = b" ".join(value.split()).split(b"; ")
    if key is not None:
        said = pairs[-1].partition(b"=")[2]
        if not _compare_digest(digest.hmac(key, b"; ".join(pairs[:-1])), said):
            raise ValueError("not signed with this key")
    names = [pair.partition(b"=")[0] for pair in pairs]
    values = [pair.partition(b"=")[2] for pair in pairs]
    if tuple(names) not in (_KEYS, (*_KEYS, _MAC)) or values[0] != VERSION:
        raise ValueError("no certificate of this version")
    return _certificate(values[:len(_KEYS)])


def tenths(score: int) -> str:
    """65 as "6.5"."""
    return f"{'-' if score < 0 else ''}{abs(score) // 10}.{abs(score) % 10}"


def _certificate(values: list[bytes]) -> Certificate:
    _, time, verdict, tags, score, recipients, client, relay, sender, message_id = values
    if verdict not in (b"pass", b"tag") or relay not in (b"0", b"1", UNKNOWN):
        raise ValueError("no such verdict or relay")
    return Certificate(
        time=int(_of(_NUMBER, time, 19)), verdict=verdict.decode(),
        tags=() if tags == UNKNOWN else tuple(_of(_WORD, tag).decode() for tag in tags.split(b",")),
        score=None if score == UNKNOWN else _score(score), recipients=int(_of(_NUMBER, recipients, 19)),
        client=None if client == UNKNOWN else _of(_ADDRESS, client), relay=None if relay == UNKNOWN else relay == b"1",
        sender=_of(_HEX, sender), message_id=None if message_id == UNKNOWN else _of(_HEX, message_id))


def _score(text: bytes) -> int:
    whole, _, tenth = text.removeprefix(b"-").partition(b".")
    score = int(_of(_NUMBER, whole, 18)) * 10 + int(_of(_NUMBER, tenth, 1))
    return -score if text.startswith(b"-") else score


def _of(allowed: frozenset[int], value: bytes, longest: int = _LENGTH_MAX) -> bytes:
    if not (0 < len(value) <= longest and allowed.issuperset(value)):
        raise ValueError(f"unexpected value: {value[:40]!r}")
    return value


def _address(client: bytes | None) -> bytes:
    """The address when it can be one: the environment may hold anything."""
    return client if client and len(client) <= _LENGTH_MAX and _ADDRESS.issuperset(client) else UNKNOWN
