"""What queue programs do, well or badly, and what becomes of the message: the same for every driver that runs them."""

from typing import NamedTuple

SENDER = b"a@example.org"
RECIPIENTS = [b"b@example.com", b"c@example.com"]
ENVELOPE = b"Fa@example.org\0Tb@example.com\0Tc@example.com\0\0"
READ_ALL = "cat >/dev/null; cat <&1 >/dev/null"

Reply = tuple[int, str, tuple[str, ...]]

QUEUED: Reply = (0, "2.0.0", ())
READ_ERROR: Reply = (451, "4.3.0", ("qq read error",))
CRASHED: Reply = (451, "4.3.0", ("qq crashed",))
NOTHING: Reply = (451, "4.3.0", ("qq temporary problem",))
REFUSED: Reply = (554, "5.3.0", ("mail server permanently rejected message",))


class Program(NamedTuple):
    """A shell script, what it is given, and the outcome."""

    body: str
    reply: Reply
    message: bytes = b"Subject: x\n\ny\n"
    recipients: list[bytes] = RECIPIENTS


LARGE = b"x" * 1_000_000

PROGRAMS = {
    "all is well": Program(f'test "$(wc -c)" = 14 || exit 53; {READ_ALL}', QUEUED),
    "empty message": Program(f'test "$(wc -c)" = 0 || exit 53; {READ_ALL}', QUEUED, b""),
    "large message": Program(f'test "$(wc -c)" = 1000000 || exit 53; {READ_ALL}', QUEUED, LARGE),
    "envelope larger than a pipe": Program(
        'exec 7<&1; cat >/dev/null; test "$(wc -c <&7)" = 448906', QUEUED,
        recipients=[b"user%d@example.org" % each for each in range(20_000)]),
    "exit 1": Program(f"{READ_ALL}; exit 1", NOTHING),
    "exit 11": Program(f"{READ_ALL}; exit 11", (554, "5.1.3", ("envelope address too long for qq",))),
    "exit 31": Program(f"{READ_ALL}; exit 31", REFUSED),
    "exit 53": Program(f"{READ_ALL}; exit 53", (451, "4.3.0", ("qq write error or disk full",))),
    "exit 71": Program(f"{READ_ALL}; exit 71", (451, "4.3.0", ("mail server temporarily rejected message",))),
    "exit 82 without a word": Program(f"{READ_ALL}; exit 82", NOTHING),
    "exit 120": Program(f"{READ_ALL}; exit 120", (451, "4.3.0", ("unable to exec qq",))),
    "killed": Program(f"{READ_ALL}; kill -KILL $$; sleep 10", CRASHED),
    "crashed": Program(f"{READ_ALL}; kill -SEGV $$; sleep 10", CRASHED),
    "killed at once": Program("kill -KILL $$", CRASHED, LARGE),
    "ends before it reads": Program("exit 31", REFUSED, LARGE),
    "exit 0 without the message": Program("exec 0<&-; cat <&1 >/dev/null; exit 0", READ_ERROR, LARGE),
    "exit 0 with a part of it": Program("head -c 10 >/dev/null; exec 0<&-; cat <&1 >/dev/null; exit 0", READ_ERROR, LARGE),
    "exit 0 at once": Program("exit 0", READ_ERROR, LARGE),
    "exit 0 without the envelope": Program("cat >/dev/null; exec 1>&-; exit 0", READ_ERROR, recipients=[b"x" * 900] * 2000),
    "D": Program(f"{READ_ALL}; printf 'Dno such thing' >&6; exit 82", (554, "5.3.0", ("no such thing",))),
    "Z": Program(f"{READ_ALL}; printf 'Zdown (#4.7.1)\\n' >&6; exit 82", (451, "4.7.1", ("down",))),
    "reply lines": Program(f"{READ_ALL}; printf '550 5.7.1 a\\n550 5.7.1 b\\n' >&6; exit 82", (550, "5.7.1", ("a", "b"))),
    "a score, and it is queued": Program(f"printf 'score=7.5\\n' >&6; {READ_ALL}", QUEUED),
    "a score, and then no": Program(
        f"printf 'score=7.5\\n' >&6; {READ_ALL}; printf '550 5.7.1 no' >&6; exit 82", (550, "5.7.1", ("no",))),
    "hostile words": Program(f"{READ_ALL}; printf 'Da\\033[2J\\377b' >&6; exit 82", (554, "5.3.0", ("a?[2J?b",))),
    "garbage": Program(f"{READ_ALL}; printf garbage >&6; exit 82", NOTHING),
    "talks early": Program(f"printf 'D5.7.1 no' >&6; {READ_ALL}; exit 82", (554, "5.3.0", ("5.7.1 no",))),
    "talks early and much": Program(
        f"yes '550 5.7.1 no' | head -c 1000000 >&6; {READ_ALL}; exit 82", (550, "5.7.1", ("no",) * 315), LARGE),
    "talks, and never reads": Program("echo 'Dlast words' >&6; exit 82", (554, "5.3.0", ("last words",)), LARGE),
    "words without 82": Program(f"{READ_ALL}; echo Dno >&6; exit 0", QUEUED),
    "closes the channel first": Program(f"exec 6>&-; sleep 0.3; {READ_ALL}", QUEUED, LARGE),
    "leaves a daemon": Program(f"{READ_ALL}; sleep 2 <&0 & exit 0", QUEUED),
    "leaves a daemon that holds the message": Program("sleep 2 <&0 & exit 71", (
        451, "4.3.0", ("mail server temporarily rejected message",)), LARGE),
    "NUL in an address": Program(READ_ALL, (451, "4.3.0", ("qq internal bug",)), recipients=[b"b@c.d\0Tx@elsewhere.test"]),
    "address too long": Program(READ_ALL, (554, "5.1.3", ("envelope address too long for qq",)), recipients=[b"x" * 1003]),
}
