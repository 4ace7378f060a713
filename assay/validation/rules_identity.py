"""Identity of the rules that a run judges by, the text of the user's own ones included.

Does not belong here: judging.
"""

import hashlib
import inspect
from pathlib import Path

from assay.errors import SpecError
from assay.importing import import_object
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec


def rules_digest(spec: PipelineSpec) -> str:
    """Return the digest that a receipt records: the spec's, and the source files of custom rules.

    Editing a rule's module makes earlier receipts void, as editing the pipeline file's rules does. What the module
    imports in turn is not looked at.

    Args:
        spec: the pipeline as this run sees it.
    """
    if not spec.validation.custom:
        return spec.rules_digest
    return digest_of(spec.rules_digest, {name: _source_digest(path) for name, path in spec.validation.custom.items()})


def _source_digest(path: str) -> str:
    try:
        file = inspect.getsourcefile(import_object(path, where="validation.custom"))
    except (SpecError, TypeError):
        return "no source"  # the gate itself tells that a rule cannot be imported, and does not pass
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "no source"
