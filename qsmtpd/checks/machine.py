"""load, load-cpu, memory, psi-cpu, psi-memory, psi-io: how this machine is (lookups/machine.py)."""

from .base import LookupFailedError, Mail


def configured(source: "Source") -> "MachineCheck":
    """The check; it has no control file."""
    return MachineCheck()


class MachineCheck:
    """The check of this module.  What the kernel does not tell is unknown, and says nothing of the rest."""

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        findings: Findings = {}
        for name in wanted:
            try:
                findings[name] = lookups.machine.read(name)
            except LookupFailedError as error:
                lookups.note(f"machine: {error}".encode("ascii", "replace"))
                findings[name] = None
        return findings


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Findings, Lookups, Source
