"""Prints docs/settings.md from the programs' tables: variable, control file, default, meaning."""

from holdq.config import QUEUE_SETTINGS, RUN_SETTINGS
from qqshim.config import SETTINGS as QQSHIM
from qsmtpd.config import SETTINGS as QSMTPD
from qsmtpd.qmail.settings import Setting

TABLES = (
    ("qsmtpd", QSMTPD), ("qqshim", QQSHIM), ("holdq-queue and holdq", QUEUE_SETTINGS),
    ("holdq run", tuple(setting for setting in RUN_SETTINGS if setting not in QUEUE_SETTINGS)))

HEAD = """# Settings

A setting is the first line of the control file of that name; the variable wins. `QMAILHOME` (default /var/qmail) and
`CONTROLDIR` (default $QMAILHOME/control) say where control files are. Lists, databases and the variables of tcp.smtp are in the
manual pages.
"""


def row(setting: Setting) -> str:
    default = setting.default.decode() if isinstance(setting.default, bytes) else setting.default
    shown = "" if default is None else f"`{default}`"
    return f"| `{setting.name}` | `{setting.name.upper()}` | {shown} | {setting.meaning.replace('|', chr(92) + '|')} |"


def page() -> str:
    parts = [HEAD]
    for program, table in TABLES:
        lines = "\n".join(row(setting) for setting in table)
        parts.append(f"\n## {program}\n\n| control file | variable | default | meaning |\n|---|---|---|---|\n{lines}\n")
    return "".join(parts)


if __name__ == "__main__":
    print(page(), end="")
