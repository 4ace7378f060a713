"""Remedies in the words of the shell, where there is no pipeline file to mend.

Does not belong here: the remedies, which name the settings of a pipeline file.
"""

import argparse
import re

from assay.errors import AssayError

_IN_FLAGS = (
    (r" \(or the run parameter \w+\)", ""),
    (r"dataset\.dialect\.(\w+)", r'--dialect {"\1": ...}'),
    (r"dataset\.format", "--data-format"),
    (r"dataset\.(dialect|member|sheet)", r"--\1"),
    (r"dataset\.source", "the address"),
)


def in_flags(error: AssayError, flags: argparse.Namespace) -> AssayError:
    """Return an error whose remedy names the command's flags, unless the settings come from a pipeline file.

    Args:
        error: as raised; given back.
        flags: the command's.
    """
    if vars(flags).get("pipeline") is None:
        for setting, flag in _IN_FLAGS:
            error.remedy = re.sub(setting, flag, error.remedy)
        if "limits" in vars(flags):
            error.remedy = error.remedy.replace("dataset.limits", "--limits")
    return error
