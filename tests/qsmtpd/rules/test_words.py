"""Words as the log has them."""

from qsmtpd.rules.words import written


def test_what_the_log_has() -> None:
    assert written({"dul": True, "noptr": False, "spf-fail": None, "load": 0.5, "accepted": 0, "rate": 1 / 3}) == (
        b"dul,!noptr,?spf-fail,load:0.5,accepted:0,rate:0.333333")
    assert written({}) == b""
