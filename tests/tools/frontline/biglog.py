"""A large log of a server with a dozen rules, the same each time: harvesters, good mail, listed clients."""

import random
from collections.abc import Iterator

TAGS = b"dul dnsbl dul.example\nrss dnsbl rss.example\n"
RULES = b"""\
banned refuse "{reason}"
blocked defer
badmailfrom refuse
badrcptto refuse
too-many-rcpt defer
relay accept
known-good accept
dul & noptr refuse "{ip} is listed by {lists}"
dul throttle 2
rss defer
spf-fail ?refuse
badrcpt >= 3 & badrcpt > goodrcpt close
"""
PLAIN = "asked=!banned,!blocked,!relay,!badmailfrom,!known-good,!badrcptto,!dul,!rss,!spf-fail"


def lines(sessions: int) -> Iterator[bytes]:
    """The lines of so many sessions, those of a few at a time mixed."""
    return _Log().lines(sessions)


class _Log:
    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.waiting: list[list[str]] = []

    def lines(self, sessions: int) -> Iterator[bytes]:
        for number in range(sessions):
            self.waiting.append(self.session(f"1795{number:06}.{self.chance.randrange(32768)}"))
            if len(self.waiting) > 20:
                yield from self.some()
        while self.waiting:
            yield from self.some()

    def some(self) -> Iterator[bytes]:
        chosen = self.chance.choice(self.waiting)
        for line in chosen:
            yield line.encode() + b"\n"
        self.waiting.remove(chosen)

    def session(self, identity: str) -> list[str]:
        ip = f"192.0.{self.chance.randrange(256)}.{self.chance.randrange(256)}"
        kind = self.chance.random()
        if kind < 0.3:
            return _listed(identity, ip)
        return _harvest(identity, ip) if kind < 0.5 else _good(identity, ip, self.chance.randrange(1, 4))


def _good(identity: str, ip: str, recipients: int) -> list[str]:
    first = f"rcpt id={identity} from=a{recipients}@client.example to=good0@bench.test is=valid code=250 {PLAIN}"
    rest = [f"rcpt id={identity} to=good{each}@bench.test is=valid code=250 asked=!badrcptto" for each in range(1, recipients)]
    message = f"message id={identity} qp=7 from=a{recipients}@client.example rcpts={recipients} size=2048 code=250"
    end = f"rcpt={recipients} good={recipients} bad=0 in=2500 out=400 ms=37 cpu-ms=12"
    return [first, *rest, message, _end(identity, ip, "tags= asked=!banned,!blocked,!relay,!dul,!rss", "quit", end)]


def _listed(identity: str, ip: str) -> list[str]:
    asked = "tags=dul,noptr asked=!banned,!blocked,!relay,!badmailfrom,!known-good,!badrcptto"
    first = f"rcpt id={identity} from=b@far.example to=good@bench.test is=valid code=550 rule=8 {asked}"
    second = f"rcpt id={identity} to=bad@bench.test is=invalid code=550 rule=8 asked=!badrcptto"
    end = "rule=8 verdict=quit code=550 at=rcpt rcpt=2 good=0 bad=1 in=300 out=400 ms=90 cpu-ms=12"
    return [first, second, _end(identity, ip, "tags=dul,noptr asked=!banned,!blocked,!relay", "", end)]


def _harvest(identity: str, ip: str) -> list[str]:
    first = f'rcpt id={identity} from="" to=x0@bench.test is=invalid code=550 rule=validrcpt {PLAIN}'
    rest = [f"rcpt id={identity} to=x{each}@bench.test is=invalid code={code} asked=!badrcptto"
            for each, code in ((1, "550 rule=validrcpt"), (2, "421 rule=12"))]
    end = "rule=12 verdict=refused code=421 at=rcpt rcpt=3 good=0 bad=3 in=300 out=400 ms=90 cpu-ms=12"
    return [first, *rest, _end(identity, ip, "asked=!banned,!blocked,!relay,!dul,!rss", "", end)]


def _end(identity: str, ip: str, known: str, verdict: str, rest: str) -> str:
    said = f"verdict={verdict} " if verdict else ""
    return f"session id={identity} ip={ip} helo=client.example {known} {said}{rest}".replace("tags= ", "")
