"""The SMTP session of a server, without sockets, files or clocks (RFC 5321, 1870, 2034, 2920, 6152, 6531).

Bytes go in by receive_data(), events come out of next_event() one at a time; an event that wants an answer holds everything
behind it back until reply() was called, so pipelined commands are answered in order.  What the driver has to send is in
data_to_send().

State, and what moves it:

    IDLE  --MAIL 250-->  MAIL  --RCPT 250-->  RECIPIENTS  --DATA 354-->  DATA  --end of data-->  IDLE
    any refused or repeated MAIL, HELO, EHLO, RSET, a refused DATA  -->  IDLE
    QUIT, a stray newline, a reply that closes, the end of the input  -->  OVER
"""

from . import replies
from .address import PathError, is_utf8, parse
from .commands import COMMAND_MAX, TLS_RECORD, is_foreign
from .events import BEGIN_DATA, BEGIN_MAIL, CLOSED, CONNECTED, HELO, NEED_DATA, RCPT
from .replies import Reply

IDLE, MAIL, RECIPIENTS, DATA, OVER = range(5)

NUL, CR = 0x00, 0x0D
"""As numbers: whether a number is in bytes is found out ten times as fast as whether bytes are."""

TALK_MAX = 1000
"""Commands in a row that bring no mail forward; each costs us more than the client."""
DISCARD_MAX = 65536
"""Bytes of command lines that were too long, in a whole session."""

OUT_OF_ORDER = {
    IDLE: {b"RCPT": replies.MAIL_FIRST, b"DATA": replies.MAIL_FIRST},
    MAIL: {b"DATA": replies.RCPT_FIRST},
    RECIPIENTS: {},
}
"""By state and verb: why it is not legal now.  What does not stand here is legal."""

ANSWERS = {b"RSET": replies.FLUSHED, b"NOOP": replies.OK, b"VRFY": replies.VRFY, b"HELP": replies.HELP}
"""The verbs that are always answered in the same way."""

AFTER_ACCEPTED = {b"connect": IDLE, b"helo": IDLE, b"mail": MAIL, b"rcpt": RECIPIENTS, b"data": DATA, b"message": IDLE}
"""The state after a positive reply to an event, by where it stands."""
AFTER_REFUSED = {b"connect": IDLE, b"helo": IDLE, b"mail": IDLE, b"data": IDLE, b"message": IDLE}
"""The state after a negative one; a refused RCPT changes nothing."""
BRINGS_MAIL = (b"rcpt", b"message")
"""What brings mail forward, when it is accepted."""


class Session:
    """One connection.

    goodbye     the answer to QUIT
    databytes   the largest message as stored, 0 for no limit
    maxnotimpl  commands that we do not know before the session is ended, 0 for no limit

    helo, extended      what the client called itself last, b"" when it did not say; it was EHLO
    sender, size, utf8  of the last MAIL: SIZE as announced, 0 without; SMTPUTF8 was said
    recipient           of the last RCPT
    closing     the reply that closes the connection; None while it is open, or when the client went
    rule        why the session itself refused to go on: "newline", "protocol", "talk", "line-length"; None when it did not
    """

    __slots__ = (
        "_at", "_body", "_databytes", "_discarded", "_eof", "_goodbye", "_input", "_maxnotimpl", "_output", "_pending",
        "_skipping", "_state", "_talk", "_unknown", "closing", "extended", "helo", "recipient", "rule", "sender", "size",
        "utf8")

    def __init__(self, goodbye: Reply, databytes: int, maxnotimpl: int) -> None:
        self._databytes = databytes
        self._maxnotimpl = maxnotimpl
        self._state = IDLE
        self._pending: Question | None = CONNECTED
        self._goodbye = goodbye
        self._input = b""
        self._at = 0  # how far the input has been read: lines are not cut off one by one
        self._output: list[bytes] = []
        self._eof = False
        self._skipping = False
        self._discarded = self._talk = self._unknown = 0
        self.helo = self.sender = self.recipient = b""
        self.size = 0
        self.extended = self.utf8 = False
        self.closing: Reply | None = None
        self.rule: str | None = None
        self._body: Body

    @property
    def idle(self) -> bool:
        """No transaction is open."""
        return self._state in (IDLE, OVER)

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._input = self._input[self._at:] + data if self._at < len(self._input) else data
        self._at = 0

    def receive_eof(self) -> None:
        """Say that the client sends no more; complete commands before that are still answered."""
        self._eof = True

    def data_to_send(self) -> bytes:
        """What must be sent before waiting for the client again; it is handed out once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def next_event(self) -> "Question | bytes":
        """The next event.  One that wants a reply comes again and again until it has one."""
        while self._pending is None:
            if self._state == OVER:
                return CLOSED
            if self._state == DATA:
                event = self._message()
                if event is not None:
                    return event
            elif self._at == len(self._input) or not self._command():
                return self._end_of_input() if self._eof else NEED_DATA
        return self._pending

    def reply(self, reply: Reply) -> None:
        """Answer the event in hand."""
        event = self._pending
        assert event
        if reply.positive:
            self._state = AFTER_ACCEPTED[event.at]
            if event.at in BRINGS_MAIL:
                self._talk = 0
            if event is BEGIN_DATA:
                self._begin_message()
        else:
            self._state = AFTER_REFUSED.get(event.at, self._state)
        self._pending = None
        self._output.append(reply.wire)  # as _say(), without the call, for each recipient
        if reply.closes:
            self._end(reply)

    def close(self, reply: Reply) -> None:
        """End the session from the outside: a deadline, a fault."""
        self._pending = None
        self._say(reply)
        self._state = OVER

    def _say(self, reply: Reply) -> None:
        self._output.append(reply.wire)
        if reply.closes:
            self._end(reply)

    def _end(self, reply: Reply) -> None:
        self._state = OVER
        self.closing = reply

    def _break_off(self, rule: str, reply: Reply) -> None:
        """Refuse to go on."""
        self.rule = rule
        self._say(reply)

    def _end_of_input(self) -> "Signal":
        self._state = OVER
        return CLOSED

    # The message

    def _begin_message(self) -> None:
        from .dotstuff import Body  # noqa: PLC0415 - most sessions of a busy server never get so far

        self._body = Body()

    def _message(self) -> "bytes | Signal | None":
        """The next piece; None when the end of the message became the pending event, or the session was closed."""
        data, self._input, self._at = self._input[self._at:], b"", 0
        if not data:
            return self._end_of_input() if self._eof else NEED_DATA
        body = self._body
        stored = body.feed(data)
        if stored is None:
            self._break_off("newline", replies.STRAY_NEWLINE)
            return None
        if body.rest is not None:
            self._input = body.rest
            self._pending = body.end()
        if stored and not (self._databytes and body.size > self._databytes):
            return stored
        return None

    # Commands

    def _command(self) -> bool:
        """Take one line and answer it, or make it the pending event; False when there is no whole line."""
        data, at = self._input, self._at
        if data[at] == TLS_RECORD[0] and not self._skipping and data.startswith(TLS_RECORD, at):
            self._break_off("protocol", replies.NOT_SMTP)
            return True
        end = data.find(b"\n", at)
        line = data[at:end if end >= 0 else None]
        if self._skipping or len(line) >= COMMAND_MAX:
            return self._skip(line, whole=end >= 0)
        if end < 0:
            return False
        self._at = end + 1
        if line.endswith(b"\r"):
            self._obey(line[:-1])
        else:
            self._break_off("newline", replies.STRAY_NEWLINE)
        return True

    def _skip(self, line: bytes, whole: bool) -> bool:
        """Drop what there is of a line that is too long: one answer at its end, and none of it is read as a command."""
        self._at += len(line) + whole
        self._discarded += len(line)
        self._skipping = not whole
        if self._discarded > DISCARD_MAX:
            self._break_off("line-length", replies.TOO_LONG_LINES)
        elif whole:
            self._say(replies.LINE_TOO_LONG)
        return whole or self._state == OVER

    def _obey(self, line: bytes) -> None:
        """A line without its CR LF: as in qmail's commands.c the verb ends at the first blank, blanks after it do not count."""
        verb, _, argument = line.partition(b" ")
        verb, argument = verb.upper(), argument.lstrip(b" ")
        out_of_order = OUT_OF_ORDER[self._state].get(verb)
        self._talk += 1
        if self._talk > TALK_MAX:
            self._break_off("talk", replies.TOO_MUCH_TALK)
        elif CR in line or NUL in line:
            self._say(replies.SYNTAX)
        elif out_of_order is not None:
            self._say(out_of_order)
        elif verb in ANSWERS:
            if verb == b"RSET":
                self._state = IDLE
            self._say(ANSWERS[verb])
        elif verb == b"QUIT":
            self._say(self._goodbye)
        else:
            self._parse(verb, argument)

    def _parse(self, verb: bytes, argument: bytes) -> None:
        try:
            if verb == b"RCPT":
                address, parameters = parse(argument)
                if parameters or not address:
                    raise PathError("no recipient, or a parameter")
                if address.isascii() or self._takes_utf8(address):
                    self.recipient = address
                    self._pending = RCPT
            elif verb == b"MAIL":
                self._state = IDLE
                self._mail(argument)
            elif verb == b"DATA":
                self._pending = BEGIN_DATA
            elif verb in (b"HELO", b"EHLO"):
                self._state = IDLE
                self.helo = argument
                self.extended = verb == b"EHLO"
                self._pending = HELO
            else:
                self._refuse_verb(verb)
        except PathError:
            self._say(replies.SYNTAX)

    def _mail(self, argument: bytes) -> None:
        address, parameters = parse(argument)
        size = parameters.pop(b"SIZE", b"0")
        body = parameters.pop(b"BODY", b"7BIT").upper()
        utf8 = parameters.pop(b"SMTPUTF8", None)
        # RFC 1870 section 6.1: 1 to 20 digits.
        if parameters or utf8 or body not in (b"7BIT", b"8BITMIME") or not size.isdigit() or len(size) > 20:
            raise PathError("a parameter that we do not know")
        self.utf8 = utf8 is not None
        if address.isascii() or self._takes_utf8(address):
            self.sender = address
            self.size = int(size)
            self._pending = BEGIN_MAIL

    def _takes_utf8(self, address: bytes) -> bool:
        """Whether an address that is not ASCII may pass (RFC 6531 section 3.3); it is refused otherwise."""
        taken = self.utf8 and is_utf8(address)
        if not taken:
            self._say(replies.ADDRESS_WANTS_UTF8)
        return taken

    def _refuse_verb(self, verb: bytes) -> None:
        if is_foreign(verb):
            self._break_off("protocol", replies.NOT_SMTP)
            return
        self._unknown += 1
        if self._maxnotimpl and self._unknown > self._maxnotimpl:
            self._break_off("talk", replies.TOO_MUCH_TALK)
        else:
            self._say(replies.UNIMPLEMENTED)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .dotstuff import Body, EndOfData
    from .events import Signal

    Question = Signal | EndOfData
