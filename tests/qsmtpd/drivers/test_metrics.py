"""The page of figures."""

import asyncio

import pytest

from qsmtpd.drivers.metrics import BOUNDS, SERIES_MAX, Figures, publish


def lines(figures: Figures, held: int = 0) -> list[str]:
    return figures.page(held).decode().split("\n")


def test_it_counts_what_the_log_says() -> None:
    figures = Figures()
    for code, rule in ((550, b"validrcpt"), (550, b"validrcpt"), (250, None)):
        figures.count("rcpt", [("id", b"1"), ("code", code), ("rule", rule)])
    figures.count("message", [("id", b"1"), ("code", 250), ("rule", None)])
    figures.count("message", [("qp", 4712), ("verdict", b"refused"), ("rule", 3)])
    figures.count("session", [("verdict", b"quit"), ("rule", b"12"), ("ms", 40)])
    figures.count("session", [("verdict", b"quit"), ("rule", b"12"), ("ms", 700_000)])
    figures.count("fault", [("why", b"x")])
    figures.lag = 0.25

    found = lines(figures, 7)

    assert "qsmtpd_connections 7" in found
    assert 'qsmtpd_recipients_total{code="550",rule="validrcpt"} 2' in found
    assert 'qsmtpd_recipients_total{code="250",rule=""} 1' in found
    assert 'qsmtpd_messages_total{code="250",rule=""} 1' in found
    assert 'qsmtpd_scanned_total{verdict="refused",rule="3"} 1' in found
    assert 'qsmtpd_sessions_total{verdict="quit",rule="12"} 2' in found
    assert 'qsmtpd_troubles_total{kind="fault",rule=""} 1' in found
    assert 'qsmtpd_session_seconds_bucket{le="0.01"} 0' in found
    assert 'qsmtpd_session_seconds_bucket{le="0.1"} 1' in found
    assert f'qsmtpd_session_seconds_bucket{{le="{BOUNDS[-1]}"}} 1' in found
    assert 'qsmtpd_session_seconds_bucket{le="+Inf"} 2' in found
    assert "qsmtpd_session_seconds_sum 700.040" in found
    assert "qsmtpd_loop_lag_seconds 0.250000" in found
    assert "qsmtpd_loop_lag_seconds 0.000000" in lines(figures)


def test_what_is_counted_one_by_one_is_bounded() -> None:
    """A39."""
    figures = Figures()
    for number in range(SERIES_MAX + 50):
        figures.count("rcpt", [("code", 550), ("rule", b"%d" % number)])

    assert 'qsmtpd_recipients_total{code="other",rule="other"} 50' in lines(figures)


def test_a_name_cannot_break_a_line() -> None:
    figures = Figures()
    figures.count("rcpt", [("code", 550), ("rule", b'x"} 1\nforged 1')])

    assert not any(line.startswith("forged") for line in lines(figures))


@pytest.mark.parametrize(("request_", "status"), [
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"), (b"GET / HTTP/1.1\r\n\r\n", b"404 Not Found"),
    (b"POST /metrics HTTP/1.1\r\n\r\n", b"404 Not Found"), (b"x" * 20000, b""), (b"GET /metrics HTTP/1.1\r\n", b"")])
def test_over_http(request_: bytes, status: bytes) -> None:
    async def run() -> bytes:
        server = await publish(Figures(), lambda: 3, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request_)
        writer.write_eof()
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        writer.close()
        server.close()
        return answer

    answer = asyncio.run(run())

    assert answer[9:9 + len(status)] == status
    assert (b"qsmtpd_connections 3\n" in answer) == (status == b"200 OK")
