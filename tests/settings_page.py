"""Prints docs/settings.md from the programs' tables: variable, control file, default, meaning.

A table belongs to the program that reads it; those of checks and look-ups are qsmtpd's, who reads them when a rule asks.
"""

from holdq.config import QUEUE_SETTINGS, RUN_SETTINGS
from qqshim.config import SETTINGS as QQSHIM
from qsmtpd.checks.greylist import SETTINGS as GREYLIST
from qsmtpd.checks.knowngood import SETTINGS as KNOWNGOOD
from qsmtpd.checks.rcptcheck import SETTINGS as RCPTCHECK
from qsmtpd.config import SETTINGS as QSMTPD
from qsmtpd.lookups.callouts import SETTINGS as CALLOUTS
from qsmtpd.lookups.resolver import SETTINGS as RESOLVER
from qsmtpd.lookups.store import SETTINGS as STORE
from qsmtpd.qmail.settings import Setting

TABLES = (
    ("qsmtpd", "", QSMTPD),
    ("qsmtpd: recipients by a program", "See [callouts](callouts.md#a-program).", RCPTCHECK),
    ("qsmtpd: greylisting", "See [greylisting](greylisting.md); `greylistdelay` is above.", GREYLIST),
    ("qsmtpd: clients that are known good", "The word `known-good`; the list `control/knowngood` stands beside it.", KNOWNGOOD),
    ("qsmtpd: the store", "See [store](store.md).", STORE),
    ("qsmtpd: DNS", "See [dns](dns.md).", RESOLVER),
    ("qsmtpd: callouts", "See [callouts](callouts.md).", CALLOUTS),
    ("qqshim", "See [qqshim](qqshim.md).", QQSHIM),
    ("holdq-queue and holdq", "See [holdq](holdq.md).", QUEUE_SETTINGS),
    ("holdq run", "", tuple(setting for setting in RUN_SETTINGS if setting not in QUEUE_SETTINGS)),
)
"""Heading, a line below it, rows."""

HEAD = """# Settings

A setting is the first line of the control file of that name; the variable wins. `QMAILHOME` (default /var/qmail) and
`CONTROLDIR` (default $QMAILHOME/control) say where control files are. Lists, databases and the variables of tcp.smtp are in the
manual pages, the rules in [rules](rules.md).

A variable is set in tcp.smtp for some clients, in the run script for all:

    192.0.2.:allow,MAXRECIPIENTS="0",GREETDELAY="0",GREYLISTDELAY="1"

Names that other programs have for the same thing are kept:

| variable | is also in |
|---|---|
| `DATABYTES` | qmail |
| `LOCALIPHOST` `TIMEOUTSMTPD` `ENVNOATHOST` `HELOHOST` `QUEUELIFETIME` | qmail, as control files only |
| `MAXRECIPIENTS` | s/qmail, indimail |
| `TARPITCOUNT` `TARPITDELAY` | s/qmail; a delay of 999 closes nothing here, `too-many-bad` does |
| `BRTLIMIT` `RCPTCHECK` | sagredo's qmail |
| `GREETDELAY` | indimail |
| `SMTPD_GREETDELAY` `DROP_PRE_GREET` | sagredo's qmail; they count when `greetdelay` says nothing |
| `MAXNOTIMPL` `SESSION_TIMEOUT` `SMTPGREETING` | mailfront |
| `DNSCACHEIP` | djbdns |
"""

COLUMNS = "| variable | control file | default | meaning |\n|---|---|---|---|\n"


def row(setting: Setting) -> str:
    default = setting.default.decode() if isinstance(setting.default, bytes) else setting.default
    shown = "" if default is None else f"`{default}`"
    return f"| `{setting.name.upper()}` | `{setting.name}` | {shown} | {setting.meaning.replace('|', chr(92) + '|')} |\n"


def page() -> str:
    parts = [HEAD]
    for heading, below, table in TABLES:
        parts.append(f"\n## {heading}\n\n" + (f"{below}\n\n" if below else "") + COLUMNS + "".join(map(row, table)))
    return "".join(parts)


if __name__ == "__main__":
    print(page(), end="")
