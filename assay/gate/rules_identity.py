"""Identity of the rules that a run judges by, the text of the user's own ones included."""

import hashlib
import inspect
import sys
from pathlib import Path
from typing import Any

from assay.errors import SpecError
from assay.importing import import_object
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec


def rules_digest(spec: PipelineSpec) -> str:
    """Return the digest that a receipt records: the spec's, and the source files of the user's own rules.

    Editing a rule's module makes earlier receipts void, as editing the pipeline file's rules does. What the module
    imports in turn is not looked at.

    Args:
        spec: the pipeline as this run sees it.
    """
    own = dict(spec.validation.custom)
    if spec.validation.pandera_schema is not None:
        own[""] = spec.validation.pandera_schema
    if not own:
        return spec.rules_digest
    return digest_of(spec.rules_digest, {name: _source_digest(path) for name, path in own.items()})


def _source_digest(path: str) -> str:
    try:
        file = _source_file(import_object(path, where="validation"), path)
    except (SpecError, TypeError):
        return "no source"  # the gate itself tells that a rule cannot be imported, and does not pass
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "no source"


def _source_file(rule: Any, path: str) -> str | None:
    try:
        return inspect.getsourcefile(rule)
    except TypeError:  # an object, such as a schema, does not know where it was made: its module does
        return inspect.getsourcefile(sys.modules[path.partition(":")[0]])
