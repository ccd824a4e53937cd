"""Warnings, samples, and the exit code that follows."""

import pytest

from tools.validusers.report import SHOWN, Report, Sample


def test_exit_codes() -> None:
    report = Report()
    assert report.finish() == 0
    report.warn("x")
    assert report.finish() == 0
    report.incomplete("x")
    assert report.finish() == 111
    report.mistake("x")
    assert report.finish() == 100
    report.incomplete("x")
    assert report.finish() == 100


def test_a_flood_of_one_kind_is_cut_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    for number in range(SHOWN + 5):
        report.warn(f"line {number}", "such lines")
        report.warn(f"other {number}")
    report.finish()

    lines = capsys.readouterr().err.split("\n")

    assert sum("line " in line for line in lines) == SHOWN
    assert sum("other " in line for line in lines) == SHOWN + 5
    assert lines[-2] == "validusers: warning: ... and 5 more such lines"


def test_a_sample() -> None:
    sample = Sample()
    for number in range(SHOWN + 3):
        sample.add(b"%d" % number)

    assert list(sample.lines("+")) == [f"+ {number}" for number in range(SHOWN)] + ["+ ... and 3 more"]
