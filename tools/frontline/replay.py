"""frontline replay: past sessions under other rules, or under those of today."""

import argparse
import json
import os
import sys
from collections.abc import Iterable

from qsmtpd.qmail import env

from ..command import SUCCESS, MistakeError, shown
from . import logfiles, tallied
from .logged import LoggedConfig
from .othercontrol import OtherControl
from .progress import Bar
from .replayed import Replay
from .sessions import Sessions
from .tally import Tally

HELP = "read past sessions again under other rules: what would change?"
DESCRIPTION = "Read the sessions of a log again under other rules.  What a log does not say is counted, and never guessed."
EXAMPLES = """\
examples:
  frontline replay /service/qsmtpd/log/main                   would the rules of today decide as the log has it?
  frontline replay --rules new /service/qsmtpd/log/main       what would the file "new" change?
  frontline replay --rules new --tags new-tags - < old-log    with new words, from standard input
  frontline replay --rules new --json @4*.s | jq .changes     for a program
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--rules", metavar="FILE", help="the rules to try; default: control/rules")
    parser.add_argument("--tags", metavar="FILE", help="the words of the site; default: control/tags")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("log", metavar="LOG", nargs="+", help='a log file, a directory of multilog, or "-" for standard input')


def run(options: argparse.Namespace) -> int:
    """The command; returns the exit code.

    Raises:
        MistakeError, ControlError, OSError: what was named cannot be used.
    """
    for name in (options.rules, options.tags):
        if name and not os.path.exists(name):
            raise MistakeError(f"{shown(os.fsencode(name))}: not there")
    config = LoggedConfig(OtherControl(env.control_directory(), rules=options.rules, tags=options.tags))
    sessions, tally = Sessions(), Tally()
    with Bar("frontline replay") as bar:
        unreadable = add_all(tally, Replay(config), sessions, logfiles.lines(logfiles.files(options.log), bar.show))
    if options.json:
        json.dump(tallied.as_json(tally, sessions.unfinished, unreadable), sys.stdout, indent=1)
        print()
    else:
        for line in tallied.for_people(config, tally, sessions.unfinished, unreadable):
            print(line)
    return SUCCESS


def add_all(tally: Tally, replay: Replay, sessions: Sessions, lines: Iterable[bytes]) -> int:
    """Add every session of the lines; returns the number of those that make no sense."""
    unreadable = 0
    for session in sessions.of(lines):
        try:
            tally.add(*replay.session(session))
            for line in session.lines:
                if b" waited=" in line and line.startswith(b"message "):
                    tally.add_wait(logfiles.pairs(line)[b"waited"])
        except (ValueError, KeyError):
            unreadable += 1
    return unreadable
