"""tcpsmtp: check tcp.smtp and the files of tcp.smtp.d, and join them for tcprules(1).

The administrator's own file comes first, for of two rules with one address the first is what tcpserver finds.  A mistake in it
stops everything: nothing is built, and the last cdb stays.  A file of tcp.smtp.d, which a program may have written, is left out
with a message when anything in it is wrong, and the rest is built.
"""

import os
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

from qsmtpd.qmail import durable

from .command import SUCCESS, TROUBLE, YOUR_MISTAKE, Parser, shown
from .tcprules import Rule, RuleError, parse, wider

SHOWN = 20
MODE = 0o644
NOT_RULES = ("~", ".tmp")
EXAMPLES = """\
examples:
  tcpsmtp tcp.smtp tcp.smtp.d > /dev/null     is everything right?
  tcpsmtp -o joined tcp.smtp tcp.smtp.d && tcprules tcp.smtp.cdb tcp.smtp.cdb.tmp < joined

exit codes: 0 joined, if need be without the files that messages name; 100 a mistake in TCP.SMTP; 111 trouble.  See tcpsmtp(8).
"""


class PartError(Exception):
    """A file cannot be used; str() is the message, a line a mistake."""


class Part(NamedTuple):
    """A file's name, as it may be shown, and its rules with their line numbers."""

    name: str
    rules: list[tuple[int, Rule]]


def main(arguments: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    made = Parser("tcpsmtp", "Check tcp.smtp and the files of tcp.smtp.d, and join them for tcprules.", EXAMPLES)
    made.add_argument("-o", "--output", metavar="JOINED", help="write there, in one step, instead of to standard output")
    made.add_argument("file", metavar="TCP.SMTP", help="the administrator's own rules")
    made.add_argument("directory", metavar="TCP.SMTP.D", nargs="?", help="a directory of further files of rules")
    options = made.parse_args(arguments)
    try:
        return _run(options.file, options.directory, options.output)
    except PartError as error:
        _say(f"{error}\ntcpsmtp: nothing was joined")
        return YOUR_MISTAKE
    except OSError as error:
        _say(f"{error.filename or options.output or 'standard output'}: {error.strerror}")
        return TROUBLE


def _run(file: str, directory: str | None, output: str | None) -> int:
    parts = [read_part(file), *(read_directory(directory) if directory else [])]
    _say_some(_warnings(parts))
    text = join(parts)
    if output is None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    else:
        durable.replace_file(output, text, MODE)
    return SUCCESS


def read_directory(directory: str) -> Iterator[Part]:
    """The usable files of a directory in the order of their names; of the others it says why not.

    Raises:
        OSError: the directory itself cannot be read: whoever blocks by it would be let in, so nothing is built.
    """
    for name in sorted(os.listdir(directory)):
        if name.startswith(".") or name.endswith(NOT_RULES):
            continue
        path = f"{directory}/{name}"
        try:
            yield read_part(path)
        except (PartError, OSError) as error:
            printable = shown(os.fsencode(path))
            why = f"{printable}: {error.strerror}" if isinstance(error, OSError) else error
            _say(f"{why}\ntcpsmtp: {printable} is left out")


def read_part(path: str) -> Part:
    """A file's rules.

    Raises:
        PartError: what is wrong with it; every mistake, or the first SHOWN of them.
        OSError: it cannot be read.
    """
    name = shown(os.fsencode(path))
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PartError(f"{name}: expected a file")
        if status.st_mode & stat.S_IWOTH:
            raise PartError(f"{name}: everybody may write to it: chmod o-w")
        *lines, tail = file.read().split(b"\n")
    rules, mistakes = [], []
    for number, line in enumerate(lines, 1):
        try:
            rule = parse(line)
        except RuleError as error:
            mistakes.append(f"{name}:{number}: {error}")
        else:
            rules += [(number, rule)] if rule else []
    if tail:
        mistakes.append(f"{name}:{len(lines) + 1}: expected a newline at the end of the last line: was the file cut off?")
    if mistakes:
        more = [f"{name}: and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
        raise PartError("\ntcpsmtp: ".join(mistakes[:SHOWN] + more))
    return Part(name, rules)


def join(parts: list[Part]) -> bytes:
    """One text for tcprules: the rules in their order, each file's under its name."""
    lines = [b"# Made by tcpsmtp: a change here is lost with the next one of the files below."]
    for part in parts:
        lines.append(b"# " + part.name.encode())
        lines += [rule.text for _, rule in part.rules]
    return b"\n".join(lines) + b"\n"


def _warnings(parts: list[Part]) -> Iterator[str]:
    """Rules that have no effect, and rules of one file that take something away which another one gives."""
    first: dict[bytes, tuple[Part, int, Rule]] = {}
    for part in parts:
        for number, rule in part.rules:
            for address in rule.addresses:
                winner = first.setdefault(address, (part, number, rule))
                if winner[2] is not rule:
                    yield (f'{part.name}:{number}: the rule for "{shown(address)}" has no effect: '
                           f"{winner[0].name}:{winner[1]} is the first for it, and wins")
    for address, (part, number, rule) in first.items():
        hidden = next((first[each] for each in wider(address) if each in first), None)
        if hidden and hidden[0] is not part and rule.allow and hidden[2].allow:
            lost = {name for name, _ in hidden[2].variables} - {name for name, _ in rule.variables}
            if lost:
                names = ", ".join(sorted(name.decode() for name in lost))
                yield (f'{part.name}:{number}: "{shown(address)}" goes without {names}, which '
                       f"{hidden[0].name}:{hidden[1]} sets: a narrower rule replaces the wider one, it does not add to it")


def _say_some(warnings: Iterator[str]) -> None:
    count = 0
    for count, warning in enumerate(warnings, 1):
        if count <= SHOWN:
            _say(f"warning: {warning}")
    if count > SHOWN:
        _say(f"warning: ... and {count - SHOWN:,} more")


def _say(text: str) -> None:
    print(f"tcpsmtp: {text}", file=sys.stderr)


def _without_waiting(path: str, flags: int) -> int:
    """A FIFO among the files is opened, and then refused; it must not stop us."""
    return os.open(path, flags | os.O_NONBLOCK)
