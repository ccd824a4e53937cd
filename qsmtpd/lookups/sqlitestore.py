"""The store in one SQLite file, shared by all processes of this machine.

No entry waits for the disk: with a write-ahead log and synchronous=NORMAL SQLite calls fsync once in some hundred pages, and a
power cut costs the last entries, never the file.  Each write does a bounded amount of tidying: a few entries that have
expired, and when there are too many, a few of the least worth (store.py says which).

An entry lives from its lifetime before it was written to its lifetime after: so a clock that was ahead for a while leaves no
entry for years, and one that goes back an hour forgets nothing.
"""

import posix
import time

from .store import HALFLIVES, LIMIT, LONGEST, TIMEOUT, Outage

VERSION = 1

SCHEMA = (
    """CREATE TABLE entries (
        key BLOB PRIMARY KEY NOT NULL, value BLOB, number REAL,
        at REAL NOT NULL, until REAL NOT NULL, rank INTEGER NOT NULL)""",
    "CREATE INDEX age ON entries (rank, at)",
    "CREATE INDEX expiry ON entries (until)",
    "CREATE TABLE sizes (rank INTEGER PRIMARY KEY, entries INTEGER NOT NULL)",
    "INSERT INTO sizes VALUES (0, 0), (1, 0), (2, 0)",
    "CREATE TRIGGER added AFTER INSERT ON entries BEGIN UPDATE sizes SET entries = entries + 1 WHERE rank = NEW.rank; END",
    "CREATE TRIGGER removed AFTER DELETE ON entries BEGIN UPDATE sizes SET entries = entries - 1 WHERE rank = OLD.rank; END",
    f"PRAGMA user_version = {VERSION}",
)

CACHE = 256
"""KiB of pages that a process keeps.  With SQLite's own 2,000 no entry is read or written faster: the system keeps them too."""

LIVE = "until > :now AND 2 * at - until <= :now"

GET = f"SELECT value FROM entries WHERE key = :key AND {LIVE}"
NUMBER = f"SELECT number, at FROM entries WHERE key = :key AND {LIVE}"
FORGET = "DELETE FROM entries WHERE key = :key"
PUT = ("INSERT INTO entries VALUES (:key, :value, :number, :now, :until, :rank) "
       "ON CONFLICT DO UPDATE SET value = :value, number = :number, at = :now, until = :until")
CLAIM = f"{PUT} WHERE NOT ({LIVE})"
SIZES = "SELECT rank, entries FROM sizes ORDER BY rank"
EXPIRE = ("DELETE FROM entries WHERE rowid IN "
          "(SELECT rowid FROM entries WHERE until > :now - :far AND until <= :now ORDER BY until LIMIT 4)")
MISDATE = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE until > :now + :far LIMIT :some)"
EVICT = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE rank = :rank ORDER BY at LIMIT :some)"
FAR = 2 * LONGEST
"""What ends so far away, in the past or in the future, was written by another clock: it goes only when room is needed."""
EVICTED_MAX = 8
"""By one write."""
SHARE = 8
"""An eighth of the store is sure to each rank: else a store full of confirmed entries would never remember a new one."""

VALUE, COUNT, CLAIMED = b"v", b"n", b"c"
RANKS = {b"?": 0, b"!": 2}


class SqliteStore:
    """A Store (checks/base.py) in the file of that path, which is made when it is not there.

    limit   entries
    clock   seconds since 1970
    """

    __slots__ = ("_clock", "_connection", "_limit", "_outage", "path")

    def __init__(self, path: str, limit: int = LIMIT, clock: "Callable[[], float]" = time.time) -> None:
        self.path = path
        self._limit = limit
        self._clock = clock
        self._connection: Connection | None = None
        self._outage = Outage()

    async def get(self, key: bytes) -> bytes | None:
        """See Store.  No cursor outlives it: one that does would keep the log from being written back into the file."""
        def work(connection: "Connection", now: float) -> "bytes | None":
            row = connection.execute(GET, {"key": VALUE + key, "now": now}).fetchone()
            return None if row is None else bytes(row[0])
        return self._done(work)

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        """See Store."""
        def work(connection: "Connection", now: float) -> None:
            if lifetime > 0:
                connection.execute(PUT, _entry(VALUE, key, now, lifetime, value=value))
            else:
                connection.execute(FORGET, {"key": VALUE + key})
        self._done(work, write=True)

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        """See Store."""
        def work(connection: "Connection", now: float) -> float:
            row = connection.execute(NUMBER, {"key": COUNT + key, "now": now}).fetchone()
            number = amount + (row[0] * 0.5 ** (max(now - row[1], 0) / halflife) if row else 0)
            if amount:
                connection.execute(PUT, _entry(COUNT, key, now, HALFLIVES * halflife, number=number))
            return number
        return self._done(work, write=bool(amount))

    async def claim(self, key: bytes, lifetime: float) -> bool:
        def work(connection: "Connection", now: float) -> bool:
            return connection.execute(CLAIM, _entry(CLAIMED, key, now, lifetime)).rowcount == 1
        return self._done(work, write=True)

    def close(self) -> None:
        """Give the file back; a process that ends need not."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _done(self, work: "Callable[[Connection, float], T]", *, write: bool = False) -> "T":
        """What work(connection, now) returns.

        Raises:
            LookupFailedError: it cannot be done, or could not a moment ago.
        """
        now = self._clock()
        self._outage.check(now)
        try:
            import _sqlite3  # noqa: PLC0415 - without the rest of sqlite3, which costs as much again
        except ImportError as error:
            raise self._outage.begin(now, f"store: {error}") from error
        try:
            if self._connection is None:
                self._connection = _opened(self.path)
            return self._written(self._connection, work, now) if write else work(self._connection, now)
        except (OSError, _sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise self._outage.begin(now, f"store {self.path}: {why}") from error

    def _written(self, connection: "Connection", work: "Callable[[Connection, float], T]", now: float) -> "T":
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection, now)
            self._tidy(connection, now)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _tidy(self, connection: "Connection", now: float) -> None:
        connection.execute(EXPIRE, {"now": now, "far": FAR})
        sizes = connection.execute(SIZES).fetchall()
        excess = sum([size for _, size in sizes]) - self._limit
        if excess > 0:
            some = min(excess, EVICTED_MAX)
            rank = next((rank for rank, size in sizes if size > self._limit // SHARE), 0)
            if not connection.execute(MISDATE, {"now": now, "far": FAR, "some": some}).rowcount:
                connection.execute(EVICT, {"rank": rank, "some": some})


def _entry(
        space: bytes, key: bytes, now: float, lifetime: float, *, value: bytes | None = None, number: float | None = None,
) -> "dict[str, bytes | float | None]":
    """What PUT and CLAIM want to know."""
    until = now + min(lifetime, LONGEST)
    return {"key": space + key, "value": value, "number": number, "now": now, "until": until, "rank": RANKS.get(key[:1], 1)}


def _opened(path: str) -> "Connection":
    """A connection to the file, which is made when it is not there.

    Raises:
        OSError: the file or its directory is not ours alone to write, or cannot be made.
        Error: SQLite's, whatever is wrong with it.
    """
    from _sqlite3 import connect  # noqa: PLC0415 - see _done

    _make(path)
    connection: Connection = connect(path, timeout=TIMEOUT, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            _lay_out(connection)
        elif version != VERSION:
            raise OSError(f"its layout is number {version}, and this program knows number {VERSION} only")
    except BaseException:
        connection.close()  # it keeps itself, and the file, until the collector of cycles comes
        raise
    return connection


def _lay_out(connection: "Connection") -> None:
    """Make the tables; other processes may be at it too, and SQLite does not wait for them when the journal changes."""
    from _sqlite3 import SQLITE_BUSY, OperationalError  # noqa: PLC0415 - see _done

    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except OperationalError as error:
            if error.sqlite_errorcode != SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        for statement in SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


def _make(path: str) -> None:
    """Make the directory and the file as far as they are not there, and see whether they are ours alone (A132, A133).

    The file is not opened when it exists: closing a descriptor of it would end SQLite's locks.
    """
    directory = path.rpartition("/")[0] or "/"
    try:
        posix.mkdir(directory, 0o700)
    except OSError:
        pass
    _require_ours(posix.stat(directory), 0o040000, "its directory")
    try:
        posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW, 0o600))
    except FileExistsError:
        pass
    _require_ours(posix.lstat(path), 0o100000, "it")


def _require_ours(found: posix.stat_result, kind: int, what: str) -> None:
    if found.st_mode & 0o170000 != kind:
        raise OSError(f"{what} is not a {'file' if kind == 0o100000 else 'directory'}")
    if found.st_mode & 0o022:
        raise OSError(f"{what} can be written by others: mode {found.st_mode & 0o7777:o}")
    if posix.geteuid() not in (0, found.st_uid):
        raise OSError(f"{what} belongs to uid {found.st_uid}")
    if kind == 0o100000 and found.st_nlink != 1:
        raise OSError(f"{what} has {found.st_nlink} names")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection
    from typing import TypeVar

    T = TypeVar("T")
