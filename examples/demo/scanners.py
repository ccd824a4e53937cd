"""clamd and spamd, each with a small configuration of its own, listening on a socket in the home."""

import shutil
import socket
from pathlib import Path

from home import ROOT, Home, program

PING = {"clamd": b"zPING\0", "spamd": b"PING SPAMC/1.5\r\n\r\n"}

SPAMD_RULES = r"""
use_bayes 0
body   GTUBE  /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
score  GTUBE  1000
body   OFFER  /unbeatable offer/i
score  OFFER  6.5
"""
"""A small set of our own, which loads in a second; Debian's has thousands."""


def place(home: Home, scanner: str) -> Path:
    """Where a scanner listens."""
    return home.path / f"{scanner}.sock"


def answers(home: Home, scanner: str) -> bool:
    """Whether it is at work, not only about to listen."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(place(home, scanner)))
            probe.sendall(PING[scanner])
            return b"PONG" in probe.recv(100)
        except OSError:
            return False


def clamd(home: Home) -> list[str]:
    """Configure clamd; returns how to start it.

    Raises:
        NotReadyError: it is not installed.
    """
    path = program("clamd")
    signatures = home.path / "clamd"
    signatures.mkdir()
    shutil.copy(ROOT / "examples/clamav/frontline.ndb", signatures)
    config = home.path / "clamd.conf"
    config.write_text(
        f"Foreground yes\nDatabaseDirectory {signatures}\nLocalSocket {place(home, 'clamd')}\n"
        "LocalSocketMode 600\nMaxThreads 2\n")
    return [path, "-c", str(config)]


def spamd(home: Home) -> list[str]:
    """Configure spamd; returns how to start it.

    Raises:
        NotReadyError: it is not installed.
    """
    path = program("spamd")
    own = home.path / "spamd"
    for name in ("rules", "config", "home"):
        (own / name).mkdir(parents=True)
    (own / "home").chmod(0o1777)
    (own / "config/init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
    (own / "config/local.cf").write_text(SPAMD_RULES)
    (own / "rules/none.cf").write_text("# none\n")
    return [
        path, "-L", "--nouser-config", f"--configpath={own}/rules", f"--siteconfigpath={own}/config",
        f"--socketpath={place(home, 'spamd')}", "--socketmode=600", "--max-children=2", "--min-children=1", "--max-spare=1",
        "--syslog=stderr", f"--helper-home-dir={own}/home", f"--pidfile={own}/pid"]


COMMANDS = {"clamd": clamd, "spamd": spamd}
