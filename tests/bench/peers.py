"""The other servers, each set up to do what ours do, as far as it can; nothing of the machine's own mail is touched."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.bench.home import Site, write_addresses
from tests.bench.processes import listens

POSTFIX = Path("/usr/lib/postfix/sbin")
PORTS = range(20025, 30000, 25)
"""For who cannot be told to take one that is free; clients have others."""
MAILRULES = """\
:sender
k*:*
:recipient
k*:[[{recipients}]]
d*:*:no such user
"""
"""mailfront: whoever stands in the cdb may have mail."""

MAIN = """\
compatibility_level = 3.6
import_environment = MAIL_CONFIG LD_PRELOAD SYNCS
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file_prefixes = {root}
maillog_file = {log}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.bench.test
mydestination =
mynetworks =
alias_maps =
alias_database =
relay_domains = bench.test
relay_recipient_maps = cdb:{place}/recipients
relay_transport = discard
smtpd_relay_restrictions = reject_unauth_destination
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
default_process_limit = {processes}
"""
"""Postfix: no look-up of the client's name, no limit that ends a session early; what is queued is then discarded."""

MASTER = """\
127.0.0.1:{port} inet n - n - {processes} smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


class Peer(NamedTuple):
    """How a server is started.

    port  where it listens, 0: it prints that
    """

    argv: tuple[str | Path, ...]
    environment: dict[str, str]
    port: int = 0


def mailfront(site: Site) -> Peer:
    """For tcpserver; the queue program is the one that ours get."""
    rules = site.place / "mailrules"
    rules.write_text(MAILRULES.format(recipients=site.recipients))
    return Peer(("/usr/sbin/mailfront", "smtp", "qmail", "mailrules", "add-received"), {"MAILRULES": str(rules)})


def postfix(site: Site, log: Path, processes: int) -> Peer:
    """An instance of its own, in the site's directory; only root can start it.

    log        where it logs, below the site's directory
    processes  smtpds, and so connections, at most
    """
    place = site.place / "postfix"
    port = next(each for each in PORTS if not listens(each))
    for name in ("etc", "queue", "data"):
        (place / name).mkdir(parents=True)
    subprocess.run(["chown", "postfix", place / "data"], check=True)
    values = {"place": place, "root": site.place, "log": log, "port": port, "processes": processes}
    (place / "etc/main.cf").write_text(MAIN.format(**values))
    (place / "etc/master.cf").write_text(MASTER.format(**values))
    write_addresses(place / "recipients.cdb", 1000, b"OK")
    environment = {"MAIL_CONFIG": str(place / "etc")}
    subprocess.run(["postfix", "check"], env={"PATH": os.environ["PATH"], **environment}, check=True)
    return Peer((POSTFIX / "master", "-s"), environment, port)
