"""`assay explain CODE`: how one comes to an error, and what to do.

The texts are sections of `explanations.md`, which is also the page *Errors* of the documentation.
"""

import re
import textwrap
from importlib.resources import files

from assay.errors import SpecError, did_you_mean
from assay.shell.flags import Flags

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_WIDTH = 100


def run(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Return the explanation of a code, for standard output.

    Raises:
        SpecError: there is no such code.
    """
    known = explanations()
    # as it is copied from a message: `[data_malformed: ragged_row]`
    code = str(flags.code).strip("[]").partition(":")[0].strip()
    if code not in known:
        raise SpecError(
            f"there is no error with the code '{code}'{did_you_mean(code, known)}",
            where="assay explain",
            expected=f"one of {', '.join(known)}",
        )
    return True, f"{code}\n\n{textwrap.fill(_plain(known[code]), _WIDTH)}"


def explanations() -> dict[str, str]:
    """Return the explanation of each code, as Markdown."""
    text = files("assay.shell").joinpath("explanations.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {code: body.strip() for code, _, body in (section.partition("\n") for section in sections)}


def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1", markdown).replace("*Repeated.*", "Repeated.")
