"""frontline check: under way."""

import argparse

HELP = DESCRIPTION = EXAMPLES = "example"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing."""


def run(options: argparse.Namespace) -> int:
    """Nothing."""
    return 0
