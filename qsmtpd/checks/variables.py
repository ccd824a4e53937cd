"""The site's own tags of kind env: a variable is set, by tcp.smtp or the run script (control/tags).

VARIABLE holds when it is set, empty or not, as RELAYCLIENT does; VARIABLE=VALUE when it has just this value.
"""

from .base import Mail


def configured(source: "Source") -> "Variables":
    """The check."""
    return Variables({tag.name: (tag.variable, tag.value) for tag in source.tags.values() if tag.kind == "env"})


class Variables:
    """All tags of the kind."""

    def __init__(self, variables: "Mapping[str, tuple[str, bytes | None]]") -> None:
        """variables  tag: the name of the variable, and the value that it has to have, None for any."""
        self.variables = variables

    async def __call__(self, mail: Mail, lookups: "Lookups", wanted: tuple[str, ...]) -> "Findings":
        """See Check."""
        findings: Findings = {}
        for name in wanted:
            variable, value = self.variables[name]
            found = mail.environment(variable)
            findings[name] = False
            if found is not None and value in (None, found):
                findings[name] = True
                mail.reasons[name] = b"%b=%b" % (variable.encode(), found)
        return findings


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Findings, Lookups, Source
