"""What an error that a parser raised says of the file.

Does not belong here: defects that a reader finds itself (`defects`).
"""

import errno

from assay.errors import MalformedDataError
from assay.ingestion.defects import Defect, malformed

_CHECKSUM_WORDS = ("crc", "checksum", "incorrect length", "corruption detected")


def damaged(error: Exception, what: str, name: str, *, format_name: str, remedy: str) -> MalformedDataError:
    """Return the refusal of a file that its parser gave up on.

    Args:
        error: what the parser raised.
        what: the sentence for people.
        name: how the file is called in messages.
        format_name: what the file should have been.
        remedy: the next thing to do.

    Raises:
        Exception: `error` itself where it tells of the machine and not of the file: a disk that fails, memory.
    """
    # places that a damaged file names are no places, to the system too
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}):
        raise error
    changed = any(word in str(error).lower() for word in _CHECKSUM_WORDS)
    return malformed(
        Defect.CHECKSUM_MISMATCH if changed else Defect.UNREADABLE,
        what,
        name,
        found=(str(error).splitlines() or [type(error).__name__])[0][:300],
        expected=f"an undamaged {format_name} file",
        remedy=remedy,
    )
