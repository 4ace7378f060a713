"""`assay validate`: data against the gate, and the report.

Does not belong here: rules.
"""

import argparse

from assay.errors import SpecError
from assay.shell.judged_data import judged
from assay.shell.storage import Storage


def run(flags: argparse.Namespace, storage: Storage) -> tuple[bool, str]:
    """Judge the data and write the report, passed or not.

    Args:
        flags: the command's.
        storage: for data and report.

    Returns:
        Whether the data passed, and the report's address.

    Raises:
        AssayError: a flag is not acceptable, the data cannot be read, or the report cannot be written.
    """
    if flags.partition and len(flags.partition) > 1:
        raise SpecError(
            "validate judges one partition at a time", where="--partition", found=", ".join(flags.partition)
        )
    return judged(flags, storage).last.report.passed, flags.report_uri
