"""The store in Redis or Valkey, which several machines share.  Time is the server's.

The library costs 0.2 s of CPU to import: for the listener, or for sites where that does not matter.  Nothing is tried a second
time: a server that is down costs a session one attempt (Outage).
"""

import time

from .store import HALFLIVES, LONGEST, TIMEOUT, Outage
from .tracebacks import forget_tracebacks

VALUE, COUNT, CLAIMED = b"frontline:v:", b"frontline:n:", b"frontline:c:"

COUNT_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local old = redis.call('HMGET', KEYS[1], 'number', 'at')
local number = tonumber(ARGV[1])
if old[1] then
    number = number + old[1] * 0.5 ^ (math.max(now - old[2], 0) / ARGV[2])
end
if tonumber(ARGV[1]) ~= 0 then
    redis.call('HSET', KEYS[1], 'number', string.format('%.17g', number), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return string.format('%.17g', number)
"""


class RedisStore:
    """A Store (checks/base.py) in the server of a URL: redis://[:PASSWORD@]HOST:PORT/DB, rediss:// with TLS, or unix:///PATH.

    clock   seconds, for how long ago the server failed
    """

    __slots__ = ("_client", "_clock", "_outage", "_url")

    def __init__(self, url: str, clock: "Callable[[], float]" = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._client: Client | None = None
        self._outage = Outage()

    async def get(self, key: bytes) -> bytes | None:
        found = self._done("GET", VALUE + key)
        return found if isinstance(found, bytes) else None

    async def put(self, key: bytes, value: bytes, lifetime: float) -> None:
        """See Store."""
        if lifetime > 0:
            self._done("SET", VALUE + key, value, "PX", _milliseconds(lifetime))
        else:
            self._done("DEL", VALUE + key)

    async def count(self, key: bytes, amount: float, halflife: float) -> float:
        """See Store."""
        script = (COUNT_SCRIPT, 1, COUNT + key, repr(amount), repr(halflife), _milliseconds(HALFLIVES * halflife))
        number = self._done("EVAL", *script)
        return float(number) if isinstance(number, bytes) else 0.0

    async def claim(self, key: bytes, lifetime: float) -> bool:
        return bool(self._done("SET", CLAIMED + key, b"", "NX", "PX", _milliseconds(lifetime)))

    def close(self) -> None:
        """End the connection; a process that ends need not."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _done(self, *command: "bytes | str | int") -> object:
        """The server's answer to a command.

        Raises:
            LookupFailedError: there is none, or there was none a moment ago; without the URL, which may have a password.
        """
        self._outage.check(self._clock())
        try:
            from redis.exceptions import RedisError  # noqa: PLC0415 - costs more than all the rest of a session
        except ImportError as error:
            raise self._outage.begin(self._clock(), f"store: {error}") from error
        try:
            if self._client is None:
                self._client = _connected(self._url)
            answer = self._client.execute_command(*command)
            if isinstance(answer, str):  # the URL says decode_responses: no value would be what was put
                raise ValueError("text")
        except (ValueError, TypeError):
            raise self._outage.begin(self._clock(), "control/store: no URL of Redis, or its options make no sense") from None
        except (OSError, RedisError) as error:
            forget_tracebacks(error)
            raise self._outage.begin(self._clock(), f"store: {error}") from error
        return answer


def _connected(url: str) -> "Client":
    """A client that tries nothing twice.

    Raises:
        ValueError: the URL makes no sense; nothing else yet, it connects when it is used.
    """
    from redis import Redis  # noqa: PLC0415 - see _done
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return Redis.from_url(
        url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)


def _milliseconds(lifetime: float) -> int:
    return max(int(min(lifetime, LONGEST) * 1000), 1)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Client(Protocol):
        """What we use of redis.Redis, which is not annotated."""

        def execute_command(self, *command: bytes | str | int) -> object: ...

        def close(self) -> None: ...
