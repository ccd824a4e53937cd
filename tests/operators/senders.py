"""How servers of others deliver: where they go when they are told to wait."""

import dns.message
import dns.query
import dns.rdatatype

from tests.operators.client import Client


class Attempt:
    """One attempt to deliver a message.

    asked   the servers with which it talked, by their addresses, in this order
    answer  the last reply
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = ""

    @property
    def delivered(self) -> bool:
        return self.answer.startswith("250 ")


class Sender:
    """A server that has a message for somebody.

    ip    its address
    name  its domain
    """

    def __init__(self, ip: str, dns_port: int, port: int, name: str = "sender.test") -> None:
        """dns_port  of its name server; port  of all MX hosts."""
        self.ip = ip
        self.name = name
        self._dns_port = dns_port
        self._port = port

    def mx(self, domain: str) -> list[str]:
        """The addresses of a domain's MX hosts, the most preferred first."""
        hosts = sorted((record.preference, str(record.exchange)) for record in self._ask(domain, "MX"))
        return [record.address for _, host in hosts for record in self._ask(host, "A")]

    def _ask(self, name: str, kind: str) -> list:  # type: ignore[type-arg]  # records of dnspython have no common type
        answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", 5, self._dns_port)
        return [record for rrset in answer.answer if rrset.rdtype == dns.rdatatype.from_text(kind) for record in rrset]

    def attempt(self, recipient: str) -> Attempt:
        """Go through the MX hosts."""
        attempt = Attempt()
        for address in self.mx(recipient.rpartition("@")[2]):
            try:
                client = Client((address, self._port), self.ip)
            except OSError:
                continue  # no connection: the next host
            with client:
                attempt.asked.append(address)
                attempt.answer = client.send(recipient, sender=f"a@{self.name}")
            if not self.goes_on(attempt.answer):
                break
        return attempt

    def goes_on(self, answer: str) -> bool:
        """Whether it tries the next host after this answer (RFC 5321 section 5.1: 4xx)."""
        return answer.startswith("4")


class QmailSender(Sender):
    """qmail-remote(8): it asks for a host that it can connect to.  What it is told there ends the attempt, whatever it is."""

    def goes_on(self, answer: str) -> bool:
        return False
