"""The screen: what became of each mail, the chain that it went through, and figures.  At most 100 columns."""

import sys
from collections.abc import Iterator, Sequence

from chain import Chain
from mails import Result, imbalance
from traces import Line, Trace

WIDTH = 100
INDENT = " " * 4
COLUMNS = (("CPU", 5), ("session", 8), ("qqshim", 7), ("hold", 5), ("deliver", 8))
"""Titles and widths of the milliseconds, on the right."""
TITLE = 26

BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"
BY_DIGIT = {"2": GREEN, "4": YELLOW, "5": RED}


class Pen:
    """Colours, for a terminal only."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours and style else text


def show(results: Sequence[Result], chain: Chain, seconds: float, *, kept: bool) -> None:
    """Print it."""
    pen = Pen(colours=sys.stdout.isatty())
    for line in (*_mails(results, pen), "", *_chain(chain), *_figures(results, chain), *_logs(chain, kept=kept), "",
                 *_summary(results, chain, seconds, pen)):
        print(line)


def printable(text: str) -> str:
    """Text of which part came over the network: nothing that moves a cursor, and no line end."""
    return text.encode("unicode_escape").decode("ascii")


def _mails(results: Sequence[Result], pen: Pen) -> Iterator[str]:
    numbers = "".join(f"{title:>{width}}" for title, width in COLUMNS)
    yield pen(BOLD, f"    {'mail':<{TITLE}} {'from -> to':<{WIDTH - len(numbers) - TITLE - 5}}{numbers}")
    for number, result in enumerate(results, 1):
        yield from _mail(number, result, pen)


def _mail(number: int, result: Result, pen: Pen) -> Iterator[str]:
    mail, trace = result.mail, result.trace
    title = f"{number:>2}  {mail.title:<{TITLE}} {mail.sender} -> {mail.to}"
    figures = f"{_milliseconds(trace):>{WIDTH - len(title)}}" if trace else ""
    yield pen(BOLD, title) + figures
    if trace is None:
        yield INDENT + pen(YELLOW, printable(result.skipped)[:WIDTH - len(INDENT)])
        return
    why = printable(_why(trace))
    replies = [printable(reply) for reply in result.heard] or ["(nothing)"]
    for reply in replies[:-1]:
        yield INDENT + pen(BY_DIGIT.get(reply[0], ""), reply)
    yield INDENT + pen(BY_DIGIT.get(replies[-1][0], ""), replies[-1]) + f"  {why:>{WIDTH - len(INDENT) - len(replies[-1]) - 2}}"
    yield from (INDENT + line for line in _lies(result, trace))
    yield from (INDENT + pen(RED, f"NOT as expected: {printable(difference)}") for difference in result.differences())


def _milliseconds(trace: Trace) -> str:
    """Those of one message: of a burst the mean."""
    # holdq-queue is the process that qqshim was: its line has the time of both.
    cpu = _mean(trace.sessions, "cpu-ms"), _mean(trace.holds or trace.scans, "cpu-ms")
    values = (
        str(sum(int(each) for each in cpu if each != "-")),
        _mean(trace.sessions, "ms"), _mean(trace.scans, "ms"), _mean(trace.holds, "ms"),
        _mean(trace.releases, "ms"))
    return "".join(f"{value:>{width}}" for value, (_, width) in zip(values, COLUMNS, strict=True))


def _mean(lines: list[Line], key: str) -> str:
    return str(round(sum(line.number(key) for line in lines) / len(lines))) if lines else "-"


def _why(trace: Trace) -> str:
    """In the words of the log."""
    rule = f"rule={trace.rules.replace(', ', ',')}" if trace.rules else ""
    if not trace.messages or trace.rules == "databytes":
        verdicts = {line.text("verdict") for line in trace.sessions}
        return rule or f"verdict={','.join(sorted(verdicts))}"
    if not trace.scans:
        return rule or "qqshim said nothing"
    scan = trace.scans[0]
    if rule:  # the score and the virus stand in the reply
        return " ".join([rule, *(f"{key}={scan.text(key)}" for key in ("symbols", "tags") if key in scan.values)][:2])
    words = [f"{key}={scan.text(key)}" for key in ("tags", "score", "symbols") if key in scan.values]
    return " ".join([f'verdict="{scan.text("verdict")}"', *words])


def _lies(result: Result, trace: Trace) -> Iterator[str]:
    """Where it lies, and where it lay."""
    for file in result.held:
        waited = trace.releases[0].at - trace.holds[0].at if trace.releases and trace.holds else 0
        yield f"{file} for {waited:.1f} s, then"
    if len(result.lies) > 2:
        took = trace.releases[-1].at - trace.releases[0].at
        yield f"{result.lies[0].parent}/: {len(result.lies)} files, one after the other within {took:.1f} s"
    else:
        yield from (str(file) for file in result.lies)


def _chain(chain: Chain) -> Iterator[str]:
    pids = {name: chain.service_pid(name) for name in ("qsmtpd", "holdq")}
    scanners = [f"{daemon.name} (pid {daemon.pid})" for daemon in chain.daemons if daemon.name != "svscan"]
    scanners += [f"no {name}" for name in chain.missing]
    yield f"chain    tcpserver 127.0.0.1:{chain.home.port} (pid {pids['qsmtpd']}) > qsmtpd > qqshim > holdq-queue"
    yield f"         holdq run (pid {pids['holdq']}) > Maildirs; qqshim asks {', '.join(scanners)}"


def _figures(results: Sequence[Result], chain: Chain) -> Iterator[str]:
    traces = [result.trace for result in results if result.trace]
    messages = [line for trace in traces for line in trace.messages]
    accepted = sum(line.number("code") == 250 for line in messages)
    recipients = [line for trace in traces for line in trace.recipients]
    files = {user: len(found) for user, found in chain.home.maildirs().items()}
    left = {state: len(list((chain.home.path / "holdq" / state).iterdir())) for state in ("incoming", "hold", "dead")}
    yield (f"figures  accepted {accepted} messages for {sum(trace.accepted for trace in traces)} recipients, "
           f"delivered {sum(len(trace.releases) for trace in traces)}; refused {len(messages) - accepted} messages, "
           f"{sum(line.number('code') >= 400 for line in recipients)} recipients")
    yield (f"         Maildirs: {', '.join(f'{user} {count}' for user, count in files.items())}; "
           f"holdq: {', '.join(f'{state} {count}' for state, count in left.items())}")
    yield "ms       CPU: qsmtpd, qqshim, holdq-queue; session: the client's, all in it; of the burst the mean"


def _logs(chain: Chain, *, kept: bool) -> Iterator[str]:
    if kept:
        yield f"logs     {chain.home.services}/{{qsmtpd,holdq}}/log/main/current"
    else:
        yield f"logs     gone with {chain.home.path} (make demo KEEP=1)"


def _summary(results: Sequence[Result], chain: Chain, seconds: float, pen: Pen) -> Iterator[str]:
    wrong = imbalance(results, chain.home)
    if wrong:
        yield pen(RED, f"NOT as expected: {wrong}")
    sent = [result for result in results if result.trace]
    good = sum(not result.differences() for result in sent)
    skipped = f", {len(results) - len(sent)} not sent" if len(sent) < len(results) else ""
    text = f"{good} of {len(sent)} mails as expected{skipped}, in {seconds:.1f} s"
    yield pen(GREEN if good == len(sent) else RED, text)
