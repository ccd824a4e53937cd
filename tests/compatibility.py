"""Play the corpus of dialogues on a real qmail-smtpd, and say where it answers with other codes than the corpus has for it.

    unshare --mount .venv/bin/python -m tests.compatibility /var/qmail

QMAILHOME is compiled into qmail-smtpd, so each dialogue's control directory is mounted over the real one, in a mount namespace
of our own: run it as root under unshare, and nothing of the installation is changed.  No test needs this: it is how the corpus
was made.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import QmailHome
from tests.play import prepare, run_program
from tests.transcript import Dialogue, codes, load


def answers(dialogue: Dialogue, installed: Path) -> list[int]:
    """The codes of a real qmail-smtpd."""
    with tempfile.TemporaryDirectory() as place:
        home = QmailHome(Path(place) / "home")
        prepare(dialogue, home)
        subprocess.run(["mount", "--bind", home.control, installed / "control"], check=True)
        try:
            queue = {"QMAILQUEUE": bytes(home.path / "bin/qmail-queue")}
            said = b"".join(dialogue.sent)
            answer, _, _ = run_program([installed / "bin/qmail-smtpd"], home, {**dialogue.env, **queue}, said)
        finally:
            subprocess.run(["umount", installed / "control"], check=True)
    return codes(answer)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: unshare --mount .venv/bin/python -m tests.compatibility QMAILHOME", file=sys.stderr)
        return 100
    installed = Path(sys.argv[1])
    different = 0
    dialogues = load()
    for dialogue in dialogues:
        found = answers(dialogue, installed)
        # RBLSMTPD is rblsmtpd's to read: qmail-smtpd behind it is never reached.
        if found != dialogue.qmail and "RBLSMTPD" not in dialogue.env:
            different += 1
            print(f"{dialogue.title}\n    expected {dialogue.qmail}\n    found    {found}")
    print(f"{len(dialogues)} dialogues, {different} with other codes than expected")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
