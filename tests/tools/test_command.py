"""The use of people's programs: one line and exit code 100 for a mistake, examples in --help."""

import pytest

from tools.command import SUCCESS, TROUBLE, YOUR_MISTAKE, Parser, shown


def test_exit_codes_are_those_of_the_qmail_world() -> None:
    assert (SUCCESS, YOUR_MISTAKE, TROUBLE) == (0, 100, 111)


def test_a_wrong_option_is_one_line_and_100(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Parser("prog", "Does it.", "examples:\n  prog\n").parse_args(["--nonsense"])

    assert ended.value.code == YOUR_MISTAKE
    assert capsys.readouterr().err == "prog: unrecognized arguments: --nonsense; prog --help shows the use\n"


def test_help_keeps_the_lines_of_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        Parser("prog", "Does it.", "examples:\n  prog one\n  prog two\n").parse_args(["--help"])

    assert "\n  prog one\n  prog two\n" in capsys.readouterr().out


def test_options_are_not_abbreviated() -> None:
    parser = Parser("prog", "Does it.", "")
    parser.add_argument("--force", action="store_true")

    with pytest.raises(SystemExit):
        parser.parse_args(["--for"])


def test_a_terminal_is_not_moved_by_what_is_shown() -> None:
    assert shown(b"a\x1b[2J\n\xffz") == "a\\x1b[2J\\x0a\\xffz"
