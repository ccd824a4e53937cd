"""qsmtpd-listen with a stand-in for the listener: a worker that says who it is, and does to itself what a client tells it to.

Started as a program, with qsmtpd-listen's arguments.
"""

import os
import selectors
import signal
import sys
import threading
import time
from socket import socket

from qsmtpd.drivers.admission import Admission
from qsmtpd.drivers.options import Options
from qsmtpd.listen import main


class Worker:
    """Greets with its process id and the number of all connections, and takes one word of each client."""

    def __init__(self, sockets: list[socket], options: Options) -> None:
        self.options = options
        self.admission = Admission(options.limit, options.per_address, options.per_net, options.tally)
        self.selector = selectors.DefaultSelector()
        self.listening = sockets
        self.held: dict[socket, bytes] = {}
        self.stopping = 0.0
        self.hangups = 0
        for each in sockets:
            self.selector.register(each, selectors.EVENT_READ, each)
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGHUP, self.hang_up)

    def stop(self, *_: object) -> None:
        """Comes twice when a terminal tells the whole process group, and the master tells its workers."""
        if self.stopping:
            return
        self.stopping = time.monotonic() + self.options.drain
        for each in self.listening:
            self.selector.unregister(each)
            each.close()

    def hang_up(self, *_: object) -> None:
        self.hangups += 1

    def run(self) -> int:
        while not self.stopping or (self.held and time.monotonic() < self.stopping):
            for key, _ in self.selector.select(0.1):
                ready: socket = key.data
                if ready in self.held:
                    self.obey(ready)
                elif not self.stopping:
                    self.greet(ready)
        return 0

    def greet(self, listening: socket) -> None:
        try:
            connection, peer = listening.accept()
        except OSError:  # nobody is there any more, or stop() came in between
            return
        ip = peer[0].encode()
        refused = self.admission.admit(ip)
        self.held[connection] = b"" if refused else ip
        self.selector.register(connection, selectors.EVENT_READ, connection)
        self.say(connection, f"{os.getpid()} {self.admission.total()} {self.hangups} {refused}")
        if refused:
            self.leave(connection)

    def obey(self, connection: socket) -> None:
        try:
            word = connection.recv(100).strip()
        except ConnectionResetError:
            word = b""
        if word == b"die":
            os._exit(3)
        if word == b"raise":
            raise RuntimeError("as I was told")
        if word == b"stay":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        if word == b"ids":
            self.say(connection, f"{os.getuid()} {os.getgid()} {os.getgroups()}")
        if word == b"fds":
            self.say(connection, " ".join(sorted({os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1)})))
        if word == b"thread":
            thread = threading.Thread(target=self.say, args=(connection, "a thread"))
            thread.start()
            thread.join()
        self.leave(connection)

    def say(self, connection: socket, line: str) -> None:
        try:
            connection.sendall(f"{line}\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            pass

    def leave(self, connection: socket) -> None:
        self.selector.unregister(connection)
        ip = self.held.pop(connection)
        if ip:
            self.admission.release(ip)
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1:], lambda sockets, options: Worker(sockets, options).run())
