"""The way in for a process of many messages."""

import os
from pathlib import Path

import pytest

from holdq.arrivals import Arrivals
from holdq.heldfile import HeldFile
from qsmtpd.qmail.control import Control, ControlError
from tests.holdq.site import END, NOW, Site


@pytest.fixture
def control(site: Site, monkeypatch: pytest.MonkeyPatch) -> Control:
    monkeypatch.setenv("QMAILHOME", str(site.path))
    return Control(str(site.control))


def test_an_arrival_under_a_number(site: Site, control: Control) -> None:
    """In the spool, by the uid, and from the network, that the settings of holdq-queue say."""
    site.write("holdqnetwork", str(os.getuid()))
    came = Arrivals(control)(77000, NOW)
    came.message(END)
    came.envelope(b"F\0Tx@y.z\0\0")
    came.accept()

    with HeldFile(f"{site.spool.incoming}/{came.identity}", lock=False) as file:
        assert b"".join(file.body()).startswith(b"Received: (holdq 77000 invoked from network); ")
        assert (file.trailer.uid, file.trailer.pid, file.trailer.arrival) == (os.getuid(), 77000, int(NOW))


def test_the_runner_is_told(site: Site, control: Control) -> None:
    arrivals = Arrivals(control)
    arrivals.poke()  # there is none, and nobody minds
    runner = os.open(site.spool.trigger, os.O_RDONLY | os.O_NONBLOCK)
    try:
        arrivals.poke()
        assert os.read(runner, 10) == b"n"
    finally:
        os.close(runner)


def test_another_spool(site: Site, control: Control) -> None:
    site.write("holdq", "/nonexistent")

    with pytest.raises(FileNotFoundError):
        Arrivals(control)(1, NOW)


def test_settings_that_make_no_sense(site: Site, control: Control) -> None:
    Path(site.control, "holdq").mkdir()

    with pytest.raises(ControlError):
        Arrivals(control)
