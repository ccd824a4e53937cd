"""frontline: what would the rules say, is everything right, what would a change have changed (frontline(8))."""

import os
import sys

from qsmtpd.qmail.control import ControlError

from ..command import SUCCESS, TROUBLE, YOUR_MISTAKE, MistakeError, Parser, shown
from . import check, explain, replay

EXAMPLES = """\
examples:
  frontline explain --ip 192.0.2.7 --from a@example.net --to you@example.org
  frontline check && echo the control files are right
  frontline replay --rules new-rules /service/qsmtpd/log/main

exit codes: 0 done; 100 a mistake to mend; 111 trouble.  Each command has its own --help; see frontline(8).
"""
COMMANDS = {"explain": explain, "check": check, "replay": replay}


class _Command(Parser):
    """A sub-command; argparse names the first argument."""

    def __init__(self, prog: str, description: str, examples: str) -> None:
        super().__init__(prog, description, examples)


def parser() -> Parser:
    """The command line."""
    made = Parser("frontline", "Ask the rules of qsmtpd.", EXAMPLES)
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Command)
    for name, module in COMMANDS.items():
        one = commands.add_parser(name, help=module.HELP, description=module.DESCRIPTION, examples=module.EXAMPLES)
        module.add_arguments(one)
        one.set_defaults(run=module.run, name=name)
    return made


def main(arguments: list[str] | None = None) -> int:
    """The program; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except MistakeError as error:
        code = _said(options.name, YOUR_MISTAKE, str(error))
    except ControlError as error:
        code = _said(options.name, YOUR_MISTAKE, f"{error}; frontline check says all that is wrong")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = SUCCESS
    except OSError as error:
        code = _said(options.name, TROUBLE, f"{shown(os.fsencode(error.filename or 'input or output'))}: {error.strerror}")
    except KeyboardInterrupt:
        code = _said(options.name, TROUBLE, "interrupted")
    return code


def _said(name: str, code: int, text: str) -> int:
    print(f"frontline {name}: {text}", file=sys.stderr)
    return code
