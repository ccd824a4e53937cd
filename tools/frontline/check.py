"""frontline check: is everything right that the sessions read?"""

import argparse
import os
import sys
from collections.abc import Iterator

from qsmtpd.checks.counts import VALUES
from qsmtpd.config import Config
from qsmtpd.lookups import resolver
from qsmtpd.qmail import env
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.rules import site
from qsmtpd.rules.rule import Rules
from qsmtpd.rules.vocabulary import STORE

from ..command import SUCCESS, YOUR_MISTAKE, MistakeError, shown
from . import controls, databases, programs, rights, rulefile, tagfile, tcpcdb
from .findings import ERROR, Finding, unreadable, warning
from .onlooker import ReadMarks

HELP = "look for mistakes in control files, rules, databases, programs and permissions"
DESCRIPTION = "Look at all that the sessions read, and say what is wrong, where, and what to do."
EXAMPLES = """\
examples:
  frontline check                           all of it, zones of DNS lists too
  frontline check --offline                 nobody is asked
  frontline check --env /etc/tcp.smtp.cdb   also the programs that tcp.smtp names
  frontline check new-control && cp new-control/* /var/qmail/control

exit codes: 0 no error, though there may be warnings; 100 errors; 111 trouble
"""
DATABASES = frozenset(("morercpthosts.cdb", "validrcptto.cdb", "morevalidrcptto.cdb", "blocklist.cdb"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--offline", action="store_true", help="do not ask zones of DNS lists whether they are alive")
    parser.add_argument("--env", metavar="CDB", help="look at what this cdb of tcpserver sets, too")
    parser.add_argument("--user", metavar="NAME", default="qmaild", help="who runs the sessions (default: qmaild)")
    parser.add_argument("directory", metavar="DIRECTORY", nargs="?", help="the control files; default: $CONTROLDIR")


def run(options: argparse.Namespace) -> int:
    """The command; returns the exit code.

    Raises:
        MistakeError, OSError: what was named cannot be used.
    """
    directory = options.directory or env.control_directory()
    if not os.path.isdir(directory):
        raise MistakeError(f"{shown(os.fsencode(directory))}: expected a directory of control files")
    errors = 0
    for finding in dict.fromkeys(Check(directory, options).findings()):
        print(shown(str(finding).encode()))
        errors += finding.kind == ERROR
    sys.stdout.flush()
    return YOUR_MISTAKE if errors else SUCCESS


class Check:
    """Of one control directory; the environment of this process, which is not a session's, is not looked at."""

    def __init__(self, directory: str, options: argparse.Namespace) -> None:
        self._options = options
        self._home = env.qmail_home()
        self._control = Control(directory, lambda name: None)
        self._user = _user(options.user)
        self._variables = _variables(options.env) if options.env else {}

    def findings(self) -> Iterator[Finding]:
        """What is found, file by file."""
        yield from self._user_findings()
        rules_text = yield from self._text("rules")
        tags_text = yield from self._text("tags")
        tags = tagfile.read(tags_text)
        words = site.vocabulary(tags)
        lists = tagfile.files(tags)
        yield from controls.check(self._control, lists)
        tags_path, rules_path = self._control.path("tags"), self._control.path("rules")
        yield from tagfile.wrong(tags_path, tags_text or b"")
        yield from tagfile.missing(tags_path, tags, self._control)
        if not self._options.offline:
            yield from tagfile.dead_zones(tags_path, tags, self._resolver)
        yield from databases.check(self._control.directory, DATABASES | {name for name in lists if name.endswith(".cdb")})
        yield from rulefile.wrong(rules_path, rules_text or b"", words)
        rules = rulefile.read(rules_text, words)
        if rules is not None:
            yield from self._rules(rules_path if rules_text is not None else "default rules", rules, words)
        yield from self._programs(rules)
        if self._user is not None:
            names = {*controls.settings(), *controls.OURS.split(), *lists}
            yield from rights.control_files(self._control.directory, names, self._user)

    def _text(self, name: str) -> "Generator[Finding, None, bytes | None]":
        try:
            return self._control.read(name)
        except ControlError as failure:
            yield unreadable(self._control.path(name), failure)
        return None

    def _user_findings(self) -> Iterator[Finding]:
        if self._user is None:
            yield warning("/etc/passwd", f"there is no user {self._options.user}: permissions are not looked at; "
                                         "say with --user who runs the sessions")

    def _rules(self, path: str, rules: Rules, words: "Mapping[str, Term]") -> Iterator[Finding]:
        yield from rulefile.surprising(path, rules, quarantine=self._has("quarantineto"), shim=self._shim())
        yield from rulefile.costs(path, rules, words)
        used = {words[name].check for rule in rules.rules for name in rule.names if name in words and name not in VALUES}
        try:
            config = Config(self._control)
        except ControlError:
            used.clear()  # what is wrong is said elsewhere, or it is that the directory has no me
        for name in sorted(used - {"content"}):
            try:
                config.check(name)
            except ControlError as failure:
                yield unreadable(str(failure).partition(": ")[0], failure)
        remembers = any(words[name].cost == STORE for rule in rules.rules for name in rulefile.asks(rule) if name in words)
        if remembers and self._user is not None:
            yield from self._store()

    def _store(self) -> Iterator[Finding]:
        url = (self._control.line("store") or b"").decode("utf-8", "surrogateescape")
        if self._user is not None and (not url or url.startswith("sqlite:")):
            path = "/" + url.removeprefix("sqlite:").lstrip("/") if url else f"{self._home}/frontline/store.sqlite"
            yield from rights.state(os.path.dirname(path), self._user)

    def _programs(self, rules: Rules | None) -> Iterator[Finding]:
        named: list[tuple[str, str | None]] = [("bin/qmail-queue", None)]
        named += [(path, f"{self._options.env}") for each in self._variables.values() for path in each]
        for name, wanted in (("rcptcheck", True), ("qqnext", True), ("holdqueue", rules is not None and _holds(rules))):
            line = self._control.line(name) if wanted else None
            if line:
                named.append((line.decode("utf-8", "surrogateescape"), self._control.path(name)))
        if rules is not None and _holds(rules) and not self._has("holdqueue"):
            named.append(("bin/holdq-queue", self._control.path("rules")))
        for path, file in dict.fromkeys(named):
            yield from programs.check(file, path, self._home, self._user)

    def _shim(self) -> bool:
        queues = ["bin/qmail-queue", *self._variables.get("QMAILQUEUE", ())]
        return any(programs.is_shim(os.path.join(self._home, path)) for path in queues)

    def _has(self, name: str) -> bool:
        try:
            return bool(self._control.line(name))
        except ControlError:
            return True

    def _resolver(self) -> "Dns":
        return resolver.from_system(self._control.directory, ReadMarks(f"{self._home}/frontline/marks"))


def _holds(rules: Rules) -> bool:
    return any(rule.action.verb == "hold" and not rule.action.shadow for rule in rules.rules)


def _user(name: str) -> rights.User | None:
    try:
        return rights.User(name)
    except KeyError:
        return None


def _variables(path: str) -> dict[str, list[str]]:
    """The programs that a cdb of tcpserver names: QMAILQUEUE and RCPTCHECK."""
    found: dict[str, list[str]] = {}
    for variables in tcpcdb.variables(path):
        for name in ("QMAILQUEUE", "RCPTCHECK"):
            if variables.get(name):
                found.setdefault(name, []).append(variables[name].decode("utf-8", "surrogateescape"))
    return found


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from qsmtpd.checks.base import Dns
    from qsmtpd.rules.vocabulary import Term
