"""What the programs for people do alike: exit codes, one line for a wrong use, names and addresses on a terminal."""

import argparse
from typing import NoReturn

SUCCESS = 0
YOUR_MISTAKE = 100
"""Trying again does not help: somebody has to mend something."""
TROUBLE = 111
"""It may be better next time."""


class MistakeError(Exception):
    """The person who asked has to mend something first; str() says what, in one line."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with our exit code; the help ends with the examples as written, and options are not abbreviated."""

    def __init__(self, program: str, description: str, examples: str) -> None:
        super().__init__(program, description=description, epilog=examples, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        self.exit(YOUR_MISTAKE, f"{self.prog}: {message}; {self.prog} --help shows the use\n")


def shown(text: bytes) -> str:
    """Bytes that somebody else chose, as a terminal may see them: all but printable ASCII as \\xNN."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in text)
