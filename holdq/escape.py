"""What came from outside, as a person may see it: nothing that moves a cursor, and no line end."""

_SHOWN = tuple(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in range(256))


def escape(value: bytes) -> str:
    """Printable ASCII as it is, every other byte and the backslash as \\xNN."""
    return "".join([_SHOWN[byte] for byte in value])


def escape_lines(value: bytes) -> str:
    """The same, line by line; LF and tab stay."""
    return "\n".join("\t".join(escape(part) for part in line.split(b"\t")) for line in value.split(b"\n"))
