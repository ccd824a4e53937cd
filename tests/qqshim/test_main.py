"""The program as installed: what its callers, its postmaster and the next program see."""

from tests.qqshim.callers import ENVELOPE, MESSAGE, Shim


def test_hands_on(shim: Shim, qmail_home) -> None:
    called = shim()

    assert called.reply == (250, "ok"), called
    ((message, envelope),) = qmail_home.messages()
    assert envelope == ENVELOPE
    assert message.endswith(MESSAGE)
    print(called.log)


def test_scan(shim, clamd, spamd, qmail_home):
    from tests.scanners import EICAR, GTUBE, OFFER
    print(shim(MESSAGE + EICAR, clamd=clamd.tcp))
    print(shim(MESSAGE + EICAR, clamd=clamd.unix))
    print(shim(MESSAGE + GTUBE, clamd=clamd.unix, spamd=spamd.tcp, spamreject="10"))
    print(shim(MESSAGE + OFFER, clamd=clamd.unix, spamd=spamd.unix, spamreject="10"))
    print(qmail_home.messages())
