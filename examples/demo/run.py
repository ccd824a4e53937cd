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
from mails import MAILS, imbalance, send

SECONDS = 55
"""Until it gives up, whatever it waits for."""
INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM}


def main() -> int:
    """The program; returns the exit code."""
    parser = argparse.ArgumentParser(description="Start the chain on loopback, send mail, show what became of it.")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    options = parser.parse_args()
    for number in INTERRUPTIONS - {signal.SIGINT}:
        signal.signal(number, _give_up)
    signal.alarm(SECONDS)
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)  # until there is a "finally" to remove the directory
    path = Path(tempfile.mkdtemp(prefix="frontline-demo-", dir=_open_directory()))
    path.chmod(0o755)
    return _run(Chain(Home(path, free_port())), keep=options.keep)


def _run(chain: Chain, *, keep: bool) -> int:
    """The demo in a home that is there; it and all that runs are gone afterwards, unless all went well and it is to be kept."""
    kept = False
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
        good = _demonstrate(chain, keep=keep)
        kept = keep
        return int(not good)
    except (NotReadyError, OSError, subprocess.SubprocessError) as error:
        return _fail(str(error))
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted")
    finally:
        for number in INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            chain.stop()
            shutil.rmtree(chain.home.path)


def _demonstrate(chain: Chain, *, keep: bool) -> bool:
    """Start, send, show; returns whether everything was as expected."""
    started = time.monotonic()
    _progress("starting tcpserver with qsmtpd, holdq, clamd and spamd")
    chain.home.make()
    chain.start()
    results = []
    for number, mail in enumerate(MAILS, 1):
        _progress(f"sending {number} of {len(MAILS)}: {mail.title}")
        results.append(send(mail, chain))
    _progress("")
    screen.show(results, chain, time.monotonic() - started, kept=keep)
    if keep:
        _tell_how_to_go_on(chain)
    return not imbalance(results, chain.home) and not any(result.differences() for result in results)


def _open_directory() -> str:
    """TMPDIR; but for root one that everybody may enter: spamd that root has started becomes nobody."""
    wanted = Path(tempfile.gettempdir()).resolve()
    entered = all(directory.stat().st_mode & 0o001 for directory in (wanted, *wanted.parents))
    return str(wanted) if entered or os.getuid() else "/tmp"


def _tell_how_to_go_on(chain: Chain) -> None:
    place = shlex.quote(str(chain.home.path))
    groups = " ".join(f"-{daemon.pid}" for daemon in chain.daemons)
    print(f"""
It runs on.  Send it mail, look at what is held, and stop it:
    swaks --server 127.0.0.1 --port {chain.home.port} --to ann@{DOMAIN}
    tail -f {place}/service/qsmtpd/log/main/current
    QMAILHOME={place} {shlex.quote(sys.prefix)}/bin/holdq stat
    kill -- {groups}; sleep 1; rm -r {place}""", flush=True)


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
