"""The rules and the words of a site, from the files of its control directory: control/rules and control/tags."""

from .vocabulary import TERMS


def words(control: "Control") -> "tuple[Mapping[str, SiteTag], Mapping[str, Term]]":
    """The site's own tags, and all words that its rules may use.

    Raises:
        ControlError: control/tags cannot be read, or is wrong.
    """
    text = control.read("tags")
    if text is None:
        return {}, TERMS
    from . import site  # noqa: PLC0415 - who has no words of his own does not pay for them

    try:
        tags = site.parse_tags(text)
    except ValueError as error:
        raise control.error("tags", str(error)) from error
    return tags, site.vocabulary(tags)


def rules(control: "Control", text: bytes, vocabulary: "Mapping[str, Term]") -> "Rules":
    """The rules.

    text  of control/rules

    Raises:
        ControlError: they are wrong.
    """
    from .parse import parse  # noqa: PLC0415 - who has the default rules has nothing to be read

    try:
        return parse(text, vocabulary)
    except ValueError as error:
        raise control.error("rules", str(error)) from error


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..qmail.control import Control
    from .rule import Rules
    from .site import SiteTag
    from .vocabulary import Term
