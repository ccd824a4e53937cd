"""The entries of lists of hosts and of addresses, and the keys under which such a list may have a given one.

    hosts      host, .suffix (every host below it)
    addresses  user@host, @host, .suffix, user@ (at any host)

Letter case of A to Z does not count; anything else is compared byte by byte.
"""

HOST_MAX = 255
"""No name in the DNS is longer: of one that is, only the end is looked at."""


def suffixes(host: bytes) -> list[bytes]:
    """a.b.example: .b.example, .example.  The host in lower case; an empty label at its start is a label too."""
    return [host[i:] for i in range(max(0, len(host) - HOST_MAX), len(host)) if host[i] == 0x2E]


def host_keys(host: bytes) -> list[bytes]:
    """What a list of hosts may have for this one; a dot at its end means nothing."""
    host = host.lower().removesuffix(b".")
    return [host, *suffixes(host)] if host else []


def address_keys(address: bytes) -> list[bytes]:
    """What a list of addresses may have for this one: the most special first; nothing for the null sender.

    An address without "@" is a user at any host, so that "postmaster@" means RCPT TO:<postmaster> too.
    """
    address = address.lower()
    user, at, host = address.rpartition(b"@")
    if not at:
        return [address + b"@"] if address else []
    host = host.removesuffix(b".")
    keys = [user + b"@" + host, b"@" + host, *suffixes(host), user + b"@"]
    return [key for key in keys if key != b"@"]


def host_entry(line: bytes) -> bytes:
    """A line of a list of hosts as its key.

    Raises:
        ValueError: it could never be found; the message is printable ASCII.
    """
    entry = line.lower()
    if not _may_stand_in_a_host(entry) or entry == b"." or entry.endswith(b"."):
        raise ValueError("expected a host, or .suffix for all hosts below it")
    return entry


def address_entry(line: bytes) -> bytes:
    """A line of a list of addresses as its key.

    Raises:
        ValueError: it could never be found; the message is printable ASCII.
    """
    entry = line.lower()
    user, at, host = entry.rpartition(b"@")
    if not at:
        if not entry.startswith(b".") or not _may_stand_in_a_host(entry) or entry.endswith(b"."):
            raise ValueError("expected user@host, @host, .suffix or user@")
        return entry
    if not (user or host) or host.startswith(b".") or host.endswith(b".") or b"*" in host or b" " in host:
        raise ValueError("expected user@host, @host, .suffix or user@")
    return entry


def _may_stand_in_a_host(entry: bytes) -> bool:
    return bool(entry) and not any(byte in b"@* \t/" for byte in entry)
