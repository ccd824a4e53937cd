"""control/smtproutes: to which server mail for a domain is sent, as qmail-remote(8) reads it.

    domain:relay:port     the port may be left out; an empty relay is the domain's own MX
    .domain:relay         all hosts below it
    :relay                all others
"""

PORT = 25


class Route:
    """A line.

    domain  in lower case
    relay   name or address of the server, without brackets; b"" for the domain's own MX
    """

    __slots__ = ("domain", "port", "relay")

    def __init__(self, line: bytes) -> None:
        """Parse the line.

        Raises:
            ValueError: it has no colon, or its port is none; the message is printable ASCII.
        """
        domain, colon, rest = line.partition(b":")
        if not colon:
            raise ValueError("expected domain:relay or domain:relay:port")
        if rest.startswith(b"["):
            self.relay, _, rest = rest[1:].partition(b"]")
            port = rest.removeprefix(b":")
        else:
            self.relay, _, port = rest.partition(b":")
        if port and not (port.isdigit() and 0 < int(port[:6]) < 65536):
            raise ValueError("expected a port of 1 to 65535")
        self.domain = domain.lower()
        self.port = int(port) if port else PORT


def find(routes: "Mapping[bytes, Route]", keys: list[bytes]) -> "Route | None":
    """The route of the first key (names.host_keys()) that has one; the one for all others is not looked at.

    The caller opens a connection only to a server that the site has named for this very domain.
    """
    for key in keys:
        route = routes.get(key)
        if route is not None:
            return route if route.relay else None
    return None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
