"""Refuse the sender #@[] from the network: qmail-send makes it for double bounces, and drops what comes back for it.

A stranger's message under it would be bounced to nobody, and double-bounce tools would take it for their own.
"""

from ..replies import DOUBLE_BOUNCE, Reply
from .base import Mail


class DoubleBounce:
    name = "doublebounce"

    async def __call__(self, mail: Mail, lookups: "Lookups") -> Reply | None:
        return DOUBLE_BOUNCE if mail.sender == b"#@[]" and mail.relay is None else None


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Lookups
