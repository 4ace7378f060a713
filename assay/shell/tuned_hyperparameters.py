"""What `tune` found, taken over by `train`.

Does not belong here: which hyperparameters a model takes; the domain refuses those it does not.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from assay.errors import SpecError
from assay.shell.parsing import json_object
from assay.shell.storage import Storage

_WHERE = "--hyperparameters-uri"
# what marks the record of a whole search, beside which the hyperparameters alone are accepted
_RECORD = {"family", "parameters", "trials"}


def with_tuned(flags: argparse.Namespace, storage: Storage) -> argparse.Namespace:
    """Return the flags of train with the found values laid over the base ones, and with nothing to search.

    Args:
        flags: of train.
        storage: where the file of `--hyperparameters-uri` is: what tune wrote to `--output-uri` or `--trials-uri`.

    Raises:
        SourceError: the file cannot be read.
        SpecError: it does not hold hyperparameters, or those of another model family.
    """
    changed: dict[str, Any] = {"tuning_config": {"enabled": False}}
    if flags.hyperparameters_uri is not None:
        found = _read(flags.hyperparameters_uri, storage)
        if found.keys() >= _RECORD:
            changed["model_name"] = _one_family(flags.model_name, str(found["family"]))
            found = found["parameters"]
        changed["hyperparameters"] = (flags.hyperparameters or {}) | found
    return argparse.Namespace(**{**vars(flags), **changed})


def _read(uri: str, storage: Storage) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="assay-tuned-") as folder:
        path = storage.fetch(uri, Path(folder))[0].path
        try:
            return json_object(path.read_text(encoding="utf-8"))
        except (argparse.ArgumentTypeError, UnicodeDecodeError) as error:
            raise SpecError(
                "the file holds no hyperparameters",
                where=f"{_WHERE} {uri}",
                found=str(error)[:300],
                expected="the JSON object that assay tune writes",
            ) from error


def _one_family(named: str | None, found: str) -> str:
    if named is not None and named != found:
        raise SpecError(
            "the hyperparameters are another model family's",
            where=_WHERE,
            found=found,
            expected=named,
            remedy=f"leave --model-name out, or name {found}",
        )
    return found
