"""The settings of qqshim, and the key of its certificates."""

import os

from qsmtpd.qmail import env
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.envelope import ADDRESS_MAX
from qsmtpd.qmail.settings import Setting, Settings

from .scanners.base import score

FAIL = (b"pass", b"defer")
KEY_FILE = "verdictkey"
KEY_LEAST = 16
SPOOL_DIRECTORY = b"/var/tmp"

SETTINGS = (
    Setting("qqnext", None,
            "The queue program that gets the message when it is not refused; default $QMAILHOME/bin/qmail-queue."),
    Setting("qqtmp", SPOOL_DIRECTORY,
            "Directory for messages larger than 256 KiB, as files without a name."),
    Setting("clamd", None,
            "Where clamd listens: the path of its socket, or ADDRESS:PORT; absent or empty: it is not asked."),
    Setting("clamdtimeout", 60,
            "Seconds for a whole scan by clamd, from connecting to the last byte of the answer."),
    Setting("clamdmaxsize", 104857600,
            "Bytes of the largest message that clamd is given; not above its own StreamMaxLength."),
    Setting("clamdfail", b"defer",
            "What becomes of a message that clamd could not scan: defer (451) or pass (handed on, tagged).", FAIL),
    Setting("spamd", None,
            "Where spamd listens: the path of its socket, or ADDRESS:PORT; absent or empty: it is not asked."),
    Setting("spamdtimeout", 60,
            "Seconds for a whole scan by spamd, from connecting to the last byte of the answer."),
    Setting("spamdmaxsize", 512000,
            "Bytes of the largest message that spamd is given; a larger one is handed on, tagged, whatever spamdfail says."),
    Setting("spamdfail", b"pass",
            "What becomes of a message that spamd could not scan: defer (451) or pass (handed on, tagged).", FAIL),
    Setting("spamduser", None,
            "The user whose preferences spamd applies; absent or empty: none is named."),
    Setting("spamreject", None,
            "The score, such as 12 or 7.5, from which a message is refused; absent, empty or 0: never."),
    Setting("quarantineto", None,
            "The address that gets what a rule says to quarantine; absent: such a message is deferred."),
    Setting("holdqueue", b"bin/holdq-queue",
            "The queue program, from QMAILHOME on, for a message that a rule says to hold."),
)
"""A test compares it with man/qqshim.8."""


def settings(control: Control) -> Settings:
    """Read them all.

    Raises:
        ControlError: a file cannot be read, or a value is not of its kind.
    """
    return Settings(SETTINGS, control)


def next_program(values: Settings) -> str:
    """The path of the queue program that comes next."""
    named = values.text("qqnext")
    return os.fsdecode(named) if named else f"{env.qmail_home()}/bin/qmail-queue"


def hold_program(values: Settings) -> str:
    """The path of the queue program for a message that is to be held."""
    named = os.fsdecode(values.text("holdqueue") or b"bin/holdq-queue")
    return named if named.startswith("/") else f"{env.qmail_home()}/{named}"


def quarantine(values: Settings) -> bytes | None:
    """The address for what is put aside; None: there is none.

    Raises:
        ControlError: it is longer than an envelope takes.
    """
    address = values.text("quarantineto") or None
    if address is not None and len(address) > ADDRESS_MAX:
        raise ControlError(f"quarantineto: longer than {ADDRESS_MAX} bytes")
    return address


def spool_directory(values: Settings) -> bytes:
    """Where messages too large for memory are while they are scanned."""
    return values.text("qqtmp") or SPOOL_DIRECTORY


def reject_score(values: Settings) -> float | None:
    """The score from which a message is refused; None: never.

    Raises:
        ControlError: it is no score.
    """
    text = values.text("spamreject")
    try:
        return (score(text) or None) if text else None
    except ValueError as error:
        raise ControlError("spamreject: expected a score such as 12 or 7.5") from error


def verdict_key(control: Control) -> tuple[bytes | None, str]:
    """The key, or None and why a key that is there is not used: a key that the world may read or guess certifies nothing.

    Raises:
        ControlError: the file is there and ours to read, and cannot be read.
    """
    path = control.path(KEY_FILE)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, PermissionError):
        return None, ""
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}") from error
    try:
        if os.fstat(fd).st_mode & 0o007:
            return None, f"{path}: open to the world (chmod o= it), nothing is signed"
        key = os.read(fd, 4096).partition(b"\n")[0].rstrip(b" \t")
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)
    if len(key) < KEY_LEAST:
        return None, f"{path}: shorter than {KEY_LEAST} bytes, nothing is signed"
    return key, ""
