"""frontline explain: what a client would be answered, and why."""

import argparse
import json
import os
import sys
from pathlib import Path

from qsmtpd.qmail import env

from ..command import SUCCESS, MistakeError, shown
from . import explained, tcpcdb
from .rehearsal import Client, Rehearsal

HELP = "show what a client would be answered, rule by rule"
DESCRIPTION = "Ask the rules as a client's session would: every rule, what it asks, and the reply.  It leaves no trace."
EXAMPLES = """\
examples:
  frontline explain --ip 192.0.2.7 --helo mail.example.net --from a@example.net --to you@example.org
  frontline explain --ip 192.0.2.7 --env /etc/tcp.smtp.cdb --to you@example.org     with what tcp.smtp sets
  frontline explain --ip 192.0.2.7 --rules new --tag dul=yes --to you@example.org   another file, a word taken as known
  frontline explain --ip 192.0.2.7 --to you@example.org --message mail --json       the message stage too, for a program
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--ip", required=True, help="the client's address")
    parser.add_argument("--ptr", metavar="NAME", help="its name, as tcpserver would tell; default: the DNS is asked")
    parser.add_argument("--helo", metavar="NAME", help="what it says in EHLO; default: it says none")
    parser.add_argument("--from", metavar="ADDRESS", dest="sender", default="", help="the sender; default: empty, a bounce")
    parser.add_argument("--to", metavar="ADDRESS", action="append", default=[], help="a recipient; may be given several times")
    parser.add_argument("--message", metavar="FILE", help="the message it sends, for the rules about messages")
    parser.add_argument("--env", metavar="CDB", help="set what tcpserver would, with this cdb of rules")
    parser.add_argument("--rules", metavar="FILE", help="instead of control/rules")
    parser.add_argument("--tag", metavar="NAME=VALUE", action="append", default=[],
                        help="take a word as known: yes, no, unknown or a number; may be given several times")
    parser.add_argument("--all", action="store_true", help="also the rules that are not read, and what was known already")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(options: argparse.Namespace) -> int:
    """The command; returns the exit code.

    Raises:
        MistakeError, ControlError, OSError: what was named cannot be used.
    """
    message = Path(options.message).read_bytes() if options.message else None
    if message is not None and not options.to:
        raise MistakeError("--message wants a recipient: say --to ADDRESS")
    if options.rules and not os.path.exists(options.rules):
        raise MistakeError(f"{shown(os.fsencode(options.rules))}: not there")
    client = Client(os.fsencode(options.ip), _bytes(options.ptr), _bytes(options.helo))
    found = _environment(client, options)
    if not found.allow:
        print(f'tcpserver closes the connection: the rule for "{shown(found.rule or b"")}" says deny')
        return SUCCESS
    session = Rehearsal(client, options.rules and os.path.abspath(options.rules), options.tag)
    os.chdir(env.qmail_home())
    session.connect()
    if options.to or options.sender:
        session.transaction(os.fsencode(options.sender), [os.fsencode(each) for each in options.to], message)
    if options.json:
        json.dump(explained.as_json(session) | {"environment": _shown(found)}, sys.stdout, indent=1)
        print()
    else:
        if found.rule is not None:
            print(f'tcpserver takes the rule for "{shown(found.rule)}": {_listed(found)}')
        for line in explained.for_people(session, options.all):
            print(line)
    return SUCCESS


def _environment(client: Client, options: argparse.Namespace) -> tcpcdb.Found:
    """Set what tcpserver sets, for us and for the programs that are asked."""
    found = tcpcdb.look_up(options.env, client.ip, client.ptr) if options.env else tcpcdb.Found(None, True, {})
    env.put("TCPREMOTEIP", options.ip)
    if options.ptr is not None:
        env.put("TCPREMOTEHOST", options.ptr)
    for name, value in found.variables.items():
        env.put(name, value.decode("utf-8", "surrogateescape"))
    return found


def _shown(found: tcpcdb.Found) -> dict[str, str]:
    return {name: value.decode("latin-1") for name, value in found.variables.items()}


def _listed(found: tcpcdb.Found) -> str:
    return ", ".join(f'{name}="{shown(value)}"' for name, value in found.variables.items()) or "it sets nothing"


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)
