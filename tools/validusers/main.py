"""validusers: control/validrcptto.cdb from what this server would deliver, and from lists."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from qsmtpd.qmail import env
from qsmtpd.qmail.control import Control, ControlError

from ..command import SUCCESS, TROUBLE, YOUR_MISTAKE, Parser, shown
from . import assign, cdbfile, passwd
from .assignments import Users
from .changes import Changes
from .domains import RcptHosts, read_rcpthosts, read_routes
from .lists import List
from .mailboxes import Mailboxes
from .progress import counted
from .qmail import Qmail
from .report import Report, Sample, TroubleError, UserError
from .sources import Source
from .unique import Sorter

NAME = "validrcptto.cdb"
EXAMPLES = """\
examples:
  validusers                            build the cdb from what qmail would deliver
  validusers -n                         show what would change, write nothing
  validusers --list staff --list clubs  the same, and the addresses of two files
  validusers --no-qmail --list staff    the addresses of a file alone
  validusers --print | grep '^joe'      which of joe's addresses are valid?

exit codes: 0 done; 100 your mistake; 111 trouble: something could not be read or written.  See validusers(8).
"""


def parser() -> Parser:
    """The command line."""
    made = Parser("validusers", "Build control/validrcptto.cdb, the recipients that exist.", EXAMPLES)
    made.add_argument("-n", "--dry-run", action="store_true", help="show the difference, write nothing")
    made.add_argument("-p", "--print", action="store_true", help="print the keys on standard output, write nothing")
    made.add_argument("-l", "--list", metavar="FILE", type=Path, action="append", default=[],
                      help="add the addresses of a file: one a line, @domain for a whole domain, # for a comment")
    made.add_argument("--no-qmail", action="store_true", help="take the lists alone, not what qmail would deliver")
    made.add_argument("--passwd", metavar="FILE", type=Path, help="the accounts (default: those of the system)")
    made.add_argument("--break", metavar="CHARACTER", dest="break_character", default="-",
                      help="what stands between a user and an extension: qmail's conf-break (default: -)")
    made.add_argument("-o", "--output", metavar="FILE", help=f"write there (default: {NAME} in $CONTROLDIR)")
    made.add_argument("--force", action="store_true", help="write even when more than half of the addresses would go")
    return made


def main(arguments: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    options = parser().parse_args(arguments)
    report = Report()
    try:
        code = _run(options, report)
    except UserError as error:
        code = _said(YOUR_MISTAKE, str(error))
    except (TroubleError, ControlError) as error:
        code = _said(TROUBLE, str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = SUCCESS
    except OSError as error:
        code = _said(TROUBLE, f"{os.fsdecode(error.filename or 'input or output')}: {error.strerror}")
    except KeyboardInterrupt:
        code = _said(TROUBLE, "interrupted, nothing is written")
    incomplete = report.finish()
    return code or incomplete


def _said(code: int, text: str) -> int:
    print(f"validusers: {text}", file=sys.stderr)
    return code


def _run(options: argparse.Namespace, report: Report) -> int:
    if options.no_qmail and not options.list:
        raise UserError("--no-qmail leaves nothing to build from: name a file with --list")
    if len(os.fsencode(options.break_character)) != 1:
        raise UserError("--break takes one character")
    control = Control(env.control_directory())
    path = options.output or control.path(NAME)
    rcpthosts = read_rcpthosts(control)
    qmail = None if options.no_qmail else _qmail(options, control, rcpthosts, report)
    with Sorter() as sorter:
        lists = [List(name, rcpthosts, report) for name in options.list]
        for source in _sources(qmail, lists):
            count = sorter.add(counted(source.keys, source.name))
            if count and not options.print:
                print(f"{count:>12,}  {source.name}")
        if options.print:
            sys.stdout.buffer.writelines(key + b"\n" for key in sorter)
            sys.stdout.flush()
        else:
            _build(path, sorter, qmail, options, report)
    return SUCCESS


def _qmail(options: argparse.Namespace, control: Control, rcpthosts: RcptHosts, report: Report) -> Qmail:
    users = Users(
        assign.read(Path(env.qmail_home(), "users/assign"), report),
        passwd.read(passwd.accounts(options.passwd), os.fsencode(options.break_character), report))
    mailboxes = Mailboxes(users, report)
    _print_sample("accepted, and then bounced by their .qmail file", mailboxes.bouncing, "!", options)
    return Qmail(mailboxes, read_routes(control), rcpthosts, report)


def _sources(qmail: Qmail | None, lists: list[List]) -> Iterator[Source]:
    """All of them; the relayed domains last, for which of them have a list is known only then."""
    for each in lists:
        yield each.source()
    if qmail:
        yield from qmail.sources()
        yield qmail.relayed({domain for each in lists for domain in each.domains})


def _build(path: str, keys: Iterable[bytes], qmail: Qmail | None, options: argparse.Namespace, report: Report) -> None:
    changes = Changes()
    with cdbfile.last_keys(path, report) as last:
        merged = counted(changes.merge(keys, last, qmail.unknown if qmail else lambda key: False), "comparing and writing")
        if options.dry_run:
            for _ in merged:
                pass
        else:
            cdbfile.replace(path, merged, lambda: _check(changes, options, path))
    _summary(path, changes, options)


def _check(changes: Changes, options: argparse.Namespace, path: str) -> None:
    """Raises:
        UserError: the new cdb would be empty, or lose most of what the last one has.
    """
    if options.force:
        return
    if not changes.after:
        raise UserError(f"{path} stays as it is: no address was found, a file without one refuses all mail; --force writes it")
    if changes.loses_most():
        raise UserError(f"{path} stays as it is: of its {changes.before:,} addresses {changes.removed.count:,} would go, "
                        f"{changes.after:,} be left; -n shows which, --force does it")


def _summary(path: str, changes: Changes, options: argparse.Namespace) -> None:
    print(f"{changes.after:>12,}  {'would be ' if options.dry_run else ''}in {shown(os.fsencode(path))}: "
          f"{changes.added.count:,} new, {changes.removed.count:,} gone, {changes.same:,} as before")
    _print_sample("new", changes.added, "+", options)
    _print_sample("gone", changes.removed, "-", options)
    _print_sample("kept, because a home directory could not be read", changes.kept, "?", options)
    if options.dry_run and changes.loses_most():
        print("more than half would go, or nothing be left: only --force writes this")


def _print_sample(title: str, sample: Sample, mark: str, options: argparse.Namespace) -> None:
    if sample.count and not options.print:
        print(f"{sample.count:>12,}  {title}")
        for line in sample.lines(mark):
            print(f"              {line}")
