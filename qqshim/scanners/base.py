"""The shape of a scanner: a file of this directory, a class with the attributes below, called with the message.

It awaits nothing but its connection, and that is made with what it is given: there the program that lives for one message
blocks, and the service of many does not.
A scanner says what it found, or raises ScannerError; it refuses nothing.  "Not found" is said only when the answer says so in
every byte: a half answer, a number out of range, an unknown word mean that the scanner failed.
"""


class ScannerError(Exception):
    """The scanner has no answer.

    kind  "failed", or "toolarge": not scanned, or not to the end, because of a size or another limit;
          it goes with the scanner's name into the tag
    why   for the log: may hold anything
    """

    def __init__(self, kind: str, why: bytes) -> None:
        super().__init__(kind)
        self.kind = kind
        self.why = why


class Finding:
    """What one scanner made of a message; all None and not spam: nothing found.

    scanner   its name
    virus     the signature that matched, printable ASCII without blank
    spam      above the scanner's own threshold
    score     as the scanner counts, None when it does not
    symbols   the rules that matched, separated by commas
    failed    the kind of a ScannerError: nothing is known
    why       its explanation
    defer     the fail policy says 451
    """

    __slots__ = ("defer", "failed", "scanner", "score", "spam", "symbols", "virus", "why")

    def __init__(self, scanner: str, *, virus: bytes | None = None, spam: bool = False, score: float | None = None,
                 symbols: bytes | None = None) -> None:
        self.scanner = scanner
        self.virus = virus
        self.spam = spam
        self.score = score
        self.symbols = symbols
        self.failed: str | None = None
        self.why = b""
        self.defer = False


def failure(scanner: str, error: ScannerError, *, defer: bool) -> Finding:
    """The finding of a scanner that has none."""
    finding = Finding(scanner)
    finding.failed = error.kind
    finding.why = error.why
    finding.defer = defer
    return finding


def score(text: bytes) -> float:
    """A score as scanners and settings write it: digits with at most one point among them, a minus in front; below 10,000.

    Raises:
        ValueError: it is none; "nan", "1e9" and what no rule set comes near are none.
    """
    whole, point, part = text.removeprefix(b"-").partition(b".")
    if not (whole.isdigit() and len(whole) <= 4 and (part.isdigit() and len(part) <= 4 if point else True)):
        raise ValueError("no score")
    return float(text)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..connection import Address, Connection

    Connect = Callable[[Address, float], Connection]

    class Message(Protocol):
        """A message in a file, from its first byte on."""

        @property
        def fd(self) -> int: ...
        @property
        def size(self) -> int: ...

    class Scanner(Protocol):
        """A scanner, made from the settings.

        name      the setting that switches it on, and the first word of its tags
        max_size  bytes of the largest message it is given
        """

        @property
        def name(self) -> str: ...
        @property
        def max_size(self) -> int: ...

        def defers(self, kind: str) -> bool:
            """The fail policy for a kind of ScannerError: True for 451, False for pass and tag."""

        async def __call__(self, message: Message, connection: Connect) -> Finding:
            """Raises ScannerError."""
