"""Real scanners on loopback, with small rules of our own, and the two test strings, which stand in no file as they are."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket
from threading import Thread

from tests.servers import Service, free_port, listens, running

ROOT = Path(__file__).parent.parent

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""What every virus scanner is agreed to find (eicar.org)."""
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + b"STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""What SpamAssassin gives 1000 points."""
OFFER = b"an unbeatable offer"
"""What our own rule for spamd gives 6.5 points; its threshold is 5."""

SPAMD_RULES = r"""
use_bayes 0
body   GTUBE  /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
score  GTUBE  1000
body   OFFER  /unbeatable offer/i
score  OFFER  6.5
"""


class Scanner:
    """A running scanner: tcp and unix are its addresses as qqshim's settings have them."""

    def __init__(self, service: Service, port: int, path: Path) -> None:
        self.service = service
        self.tcp = f"127.0.0.1:{port}"
        self.unix = str(path)


@contextmanager
def open_directory() -> Iterator[Path]:
    """A new directory that every user may enter: spamd started by root becomes nobody, and pytest's own are closed to it."""
    place = Path(tempfile.mkdtemp(prefix="frontline-scanner-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)


@contextmanager
def clamd() -> Iterator[Scanner]:
    """clamd with the signature in examples/clamav; messages above 8 MiB are too large for it."""
    with open_directory() as place, _clamd(place) as scanner:
        yield scanner


@contextmanager
def _clamd(place: Path) -> Iterator[Scanner]:
    (place / "db").mkdir(mode=0o755)
    shutil.copy(ROOT / "examples/clamav/frontline.ndb", place / "db")
    port, path, config = free_port(), place / "clamd.sock", place / "clamd.conf"
    config.write_text(
        f"Foreground yes\nDatabaseDirectory {place}/db\nLocalSocket {path}\nLocalSocketMode 666\nTCPSocket {port}\n"
        "TCPAddr 127.0.0.1\nMaxThreads 4\nStreamMaxLength 8M\n")
    with running(["/usr/sbin/clamd", "-c", config], place / "log", lambda: listens(port) and path.exists()) as service:
        yield Scanner(service, port, path)


@contextmanager
def spamd() -> Iterator[Scanner]:
    """spamd with the rules above and no others, which asks no network."""
    with open_directory() as place, _spamd(place) as scanner:
        yield scanner


@contextmanager
def _spamd(place: Path) -> Iterator[Scanner]:
    for name in ("rules", "config", "home"):
        (place / name).mkdir(mode=0o755)
    (place / "config/init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
    (place / "config/local.cf").write_text(SPAMD_RULES)
    (place / "rules/none.cf").write_text("# none\n")
    (place / "home").chmod(0o1777)
    port, path = free_port(), place / "spamd.sock"
    argv = [
        "/usr/sbin/spamd", "--local", "--nouser-config", f"--configpath={place}/rules", f"--siteconfigpath={place}/config",
        f"--listen=127.0.0.1:{port}", f"--socketpath={path}", "--socketmode=666", "--max-children=2", "--min-children=1",
        "--max-spare=1", "--syslog=stderr", f"--helper-home-dir={place}/home", f"--pidfile={place}/pid"]
    def ready() -> bool:
        return listens(port) and path.exists()

    with running(argv, place / "log", ready, cwd=place / "home") as service:
        yield Scanner(service, port, path)


class Liar:
    """A server on loopback and on a unix socket that does with every connection what it is told."""

    def __init__(self, place: Path, behave: Callable[[socket], None]) -> None:
        self.behave = behave
        tcp = socket()
        tcp.bind(("127.0.0.1", 0))
        unix = socket(AF_UNIX)
        unix.bind(str(place))
        self.tcp = f"127.0.0.1:{tcp.getsockname()[1]}"
        self.unix = str(place)
        self._listeners = (tcp, unix)
        for listener in self._listeners:
            listener.listen(64)
            Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket) -> None:
        with connection:
            try:
                self.behave(connection)
            except OSError:
                pass

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown(2)
            listener.close()


@contextmanager
def lying(place: Path, behave: Callable[[socket], None]) -> Iterator[Liar]:
    """A Liar for the time of a with statement; place is the path of its unix socket."""
    liar = Liar(place, behave)
    try:
        yield liar
    finally:
        liar.close()


def read_spamc(connection: socket) -> bytes:
    """What a client of spamd sends, to the end of its writing."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def read_instream(connection: socket) -> bytes:
    """The message that a client of clamd sends with zINSTREAM, joined from its chunks.

    Raises:
        OSError: it went away before the end.
    """
    with connection.makefile("rb") as file:
        assert file.read(10) == b"zINSTREAM\0"
        message = []
        while size := int.from_bytes(_exactly(file.read, 4), "big"):
            message.append(_exactly(file.read, size))
    return b"".join(message)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    data = read(count)
    if len(data) != count:
        raise ConnectionAbortedError
    return data
