"""make demo: the real chain on loopback, mail from real clients, one screen that says what became of each, and the end.

Exit 0: all as expected, as far as it could be sent; 1: not so, or the chain could not be started.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import screen
from chain import Chain, free_port
from home import DOMAIN, Home, NotReadyError
from mails import MAILS, Result, imbalance, send

SECONDS = 55
"""Until it gives up, whatever it waits for."""


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(description="Start the chain on loopback, send mail, show what became of it.")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _give_up)
    signal.alarm(SECONDS)
    started = time.monotonic()
    path = Path(tempfile.mkdtemp(prefix="frontline-demo-", dir=_open_directory()))
    path.chmod(0o755)
    chain = Chain(Home(path, free_port()))
    kept = False
    try:
        results = _demonstrate(chain)
        signal.alarm(0)
        screen.show(results, chain, time.monotonic() - started, kept=options.keep)
        if options.keep:
            _tell_how_to_go_on(chain)
        kept = options.keep
        return int(bool(imbalance(results, chain.home)) or any(result.differences() for result in results))
    except (NotReadyError, OSError, subprocess.SubprocessError) as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            chain.stop()
            shutil.rmtree(path)


def _open_directory() -> str:
    """TMPDIR; but for root one that everybody may enter: spamd that root has started becomes nobody."""
    wanted = Path(tempfile.gettempdir()).resolve()
    entered = all(directory.stat().st_mode & 0o001 for directory in (wanted, *wanted.parents))
    return str(wanted) if entered or os.getuid() else "/tmp"


def _demonstrate(chain: Chain) -> list[Result]:
    _progress("starting tcpserver with qsmtpd, holdq, clamd and spamd")
    chain.home.make()
    chain.start()
    results = []
    for number, mail in enumerate(MAILS, 1):
        _progress(f"sending {number} of {len(MAILS)}: {mail.title}")
        results.append(send(mail, chain))
    _progress("")
    return results


def _tell_how_to_go_on(chain: Chain) -> None:
    home = chain.home
    groups = " ".join(f"-{daemon.pid}" for daemon in chain.daemons)
    print(f"""
It runs on.  Send it mail, look at what is held, and stop it:
    swaks --server 127.0.0.1 --port {home.port} --to ann@{DOMAIN}
    tail -f {home.services}/qsmtpd/log/main/current
    QMAILHOME={home.path} {shlex.quote(sys.prefix)}/bin/holdq stat
    kill -- {groups}; sleep 1; rm -r {home.path}""")


def _progress(text: str) -> None:
    """One line that is written over, on a terminal; "" takes it away."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _fail(why: str) -> int:
    _progress("")
    print(f"demo: {screen.printable(why)}", file=sys.stderr)
    return 1


def _give_up(number: int, _: object) -> NoReturn:
    """As Ctrl-C does: past everything that copes with an error."""
    late = number == signal.SIGALRM
    raise KeyboardInterrupt(f"not done after {SECONDS} s" if late else f"ended by {signal.Signals(number).name}")


if __name__ == "__main__":
    sys.exit(main())
