"""Control files: every setting as the programs read it, and names that nobody reads but that are nearly a setting's."""

import importlib
import os
from collections.abc import Iterator

import holdq.config
import qqshim.config
import qsmtpd.config
from qsmtpd.lookups import callouts, resolver, store
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.settings import Setting, Settings
from qsmtpd.rules.suggest import slips
from qsmtpd.rules.vocabulary import TERMS

from .findings import Finding, error, unreadable, warning

TABLES = (qsmtpd.config.SETTINGS, resolver.SETTINGS, store.SETTINGS, callouts.SETTINGS, qqshim.config.SETTINGS,
          holdq.config.QUEUE_SETTINGS, holdq.config.RUN_SETTINGS)
CHECKS = ("rcptcheck", "rcptcallout")
"""Checks that no word of the rules belongs to."""

OURS = """
me rcpthosts morercpthosts morercpthosts.cdb badmailfrom badrcptto
validrcptto validrcptto.cdb morevalidrcptto morevalidrcptto.cdb recipients
rules tags blocklist.cdb knowngood calloutrcpt calloutallow calloutdomains genericptr
"""
THEIRS = """
aliasempty authsenders badhelo badmailto bouncefrom bouncehost bouncemaxbytes
concurrencyincoming concurrencylocal concurrencyremote
defaultdelivery defaultdomain defaulthost domainbindings domainips doublebouncehost doublebounceto helohost idhost
locals logregex mfcheck notlshosts outgoingip percenthack plusdomain qmqpservers queuelifetime smtproutes spfbehavior spfrules
spfguess tarpitdelay timeoutconnect timeoutremote tlsclientciphers tlshosts tlsserverciphers virtualdomains
"""
"""Files of other programs of the qmail world, which are not misspelt ones of ours."""
NEAR = 2
"""Slips in a name that make it look like another."""
SHORT = 5
"""Letters of a name that may be anything."""


def settings() -> dict[str, Setting]:
    """Every setting of every program, by name."""
    return {setting.name: setting for table in _tables() for setting in table}


def _tables() -> Iterator[tuple[Setting, ...]]:
    yield from TABLES
    for name in sorted({term.check for term in TERMS.values()} | set(CHECKS)):
        try:
            module = importlib.import_module(f"qsmtpd.checks.{name}")
        except ModuleNotFoundError:
            continue  # some words need no check
        yield getattr(module, "SETTINGS", ())


def check(control: Control, lists: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with settings and names.

    lists  files that control/tags names
    """
    known = settings()
    for setting in known.values():
        try:
            Settings((setting,), control)
        except ControlError as failure:
            yield unreadable(control.path(setting.name), failure)
    for name in ("me", "rcpthosts"):
        try:
            found = control.lines(name)
        except ControlError as failure:
            yield unreadable(control.path(name), failure)
            continue
        if not found:
            yield _empty(control.path(name), name)
    yield from _misspelt(control, {*known, *OURS.split(), *THEIRS.split(), *lists})


def _empty(path: str, name: str) -> Finding:
    if name == "me":
        return error(path, "absent or empty: every session ends with 421; write the name of this host into it")
    return warning(path, "absent or empty: mail is taken for no domain, but from RELAYCLIENT; write your domains into it")


def _misspelt(control: Control, known: set[str]) -> Iterator[Finding]:
    for name in sorted(os.listdir(control.directory)):
        if name in known or len(name) < SHORT or name.startswith(".") or name.endswith(("~", ".tmp", ".cdb")):
            continue
        near = min(sorted(known), key=lambda other: slips(name, other))
        if slips(name, near) <= NEAR and len(near) >= SHORT:
            yield warning(control.path(name), f"nobody reads it; did you mean {near}?  Rename it, or move it elsewhere")
