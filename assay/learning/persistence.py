"""Models to files and back, without pickle.

A model is a folder of three files: `model.skops` (the fitted pipeline), `manifest.json` and `input_example.parquet`;
and `evaluated.skops`, the pipeline that its holdout evaluates, where that is another. Predictions do not need it, so it
is loaded when it is asked for.
The manifest holds the SHA-256 of the other two, which loading verifies, and may name the folder where they are.
Skops stores LightGBM's boosters as the library's model text and XGBoost's as the library's buffer of model and
configuration, so that both predict the same bits after loading; the buffer is for the library version in the manifest.
The same fit gives the same bytes; a loaded model may give others when it is saved again.

A file is loaded only if each type in it is trusted by skops, is on the allow-list, or is an estimator or transformer
that the manifest names by import path. The allow-list is the types of our transformers, those of scikit-learn
(`assay.learning.allow_list`) and `stored_types` of each family, all in full and one by one. This keeps foreign code
from running. It does not verify numbers inside a model:
native libraries read trees as they are, so load only what a commit's digest vouches for.

Files of earlier versions name classes by earlier paths; `assay.moved_modules` maps them, and the allow-list is checked
against the present names.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from assay.errors import ArtifactNotFoundError, DigestMismatchError, UnknownModelError, UntrustedModelError
from assay.importing import import_users_object
from assay.learning.allow_list import sklearn_types
from assay.learning.estimators.family import FAMILIES
from assay.moved_modules import current_name
from assay.results.bundle import FILES, FOLDER, MANIFEST_FILE, PROVENANCE, folder_of
from assay.results.trained_model import ModelManifest, TrainedModel

if TYPE_CHECKING:
    import pandas as pd

# skops itself trusts scikit-learn's public estimators and plain containers
_OWN_TYPES = frozenset(
    {
        "assay.learning.estimators.decisions.LogOdds",
        "assay.learning.estimators.labelled_ensembles.LabelledStackingClassifier",
        "assay.learning.estimators.labelled_ensembles.LabelledVotingClassifier",
        "assay.learning.estimators.row_pipelines.PipelineOfWeightedRows",
        "assay.learning.estimators.target_transforms.TransformedTarget",
        "assay.learning.preprocessing.encoders.FrequencyEncoder",
        "assay.learning.preprocessing.encoders.GroupImputer",
        "assay.learning.preprocessing.encoders.HashingEncoder",
        "assay.learning.preprocessing.fitted_steps.FittedSteps",
        "assay.learning.preprocessing.fitted_steps.PipelineOfKeptRows",
        "assay.learning.preprocessing.native_columns.NativeColumns",
        "assay.learning.preprocessing.transformers.CalendarFeatures",
        "assay.learning.preprocessing.transformers.Categories",
        "assay.learning.preprocessing.transformers.OrdinalCategories",
        "assay.learning.preprocessing.transformers.RawNumbers",
        "assay.learning.preprocessing.transformers.TextFeatures",
    }
)

MODEL_FILE = "model.skops"
EVALUATED_FILE = "evaluated.skops"
EXAMPLE_FILE = "input_example.parquet"

_SCHEMA = "schema.json"
# text vectorisers keep the memory address of their stop words, only to skip a check
_ADDRESS = "_stop_words_id"
_ARRAY = b"\x93NUMPY"
_PADDING = b"('', '|V"
_HEADER = 1024
"""Bytes in which the fields of a record are described, bytes between them as fields without a name."""


def allowed_types() -> frozenset[str]:
    """Return the allow-list: the types that a stored model may hold beside those that skops itself trusts."""
    return _OWN_TYPES.union(sklearn_types(), *(card.stored_types for card in FAMILIES.values()))


def save_model(model: TrainedModel, folder: Path, beside: Mapping[str, str] | None = None) -> None:
    """Write a model into a folder, which is created if missing; one that is stored already is copied.

    Args:
        model: a fitted model.
        folder: where the files go.
        beside: texts of further files by name; the manifest has their digests too.

    Raises:
        UntrustedModelError: the model holds a type that `load_model` would refuse.
    """
    if model.files is not None and not beside:
        model.files(folder)
        return
    fits = _fits(model)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in fits.items():
        (folder / name).write_bytes(data)
    pq.write_table(pa.Table.from_pandas(model.input_example, preserve_index=False), folder / EXAMPLE_FILE)
    for name, text in (beside or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    digests = {name: _sha256(folder / name) for name in (*fits, EXAMPLE_FILE, *(beside or {}))}
    unknown = {PROVENANCE} if model.manifest.provenance is None else None
    manifest = model.manifest.model_dump(mode="json", exclude=unknown) | {FILES: digests}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def require_storable(estimator: Any, own_classes: tuple[str, ...], where: str) -> None:
    """Refuse a fitted estimator that `save_model` would refuse.

    Raises:
        UntrustedModelError: it holds a type that is not allowed, or that has no stored form.
    """
    _require_trusted(estimator_bytes(estimator), own_classes, where=where)


@lru_cache(maxsize=1)  # the store, the tracker and an export write the same model, one after the other
def _fits(model: TrainedModel) -> dict[str, bytes]:
    fits = {MODEL_FILE: model.estimator}
    if model.manifest.refit is not None:
        fits[EVALUATED_FILE] = model.evaluated.estimator
    files = {name: estimator_bytes(fit) for name, fit in fits.items()}
    for name, data in files.items():
        _require_trusted(data, model.manifest.own_classes, where=name)
    return files


def file_names(manifest: ModelManifest) -> tuple[str, ...]:
    """Return the names of a model's own files, the manifest aside."""
    return (MODEL_FILE, *([] if manifest.refit is None else [EVALUATED_FILE]), EXAMPLE_FILE)


def load_model(folder: Path) -> TrainedModel:
    """Read a model that `save_model` wrote; it predicts the same bits as the saved one.

    Raises:
        ArtifactNotFoundError: a file is missing.
        DigestMismatchError: a file is damaged.
        UntrustedModelError: the model holds a type that is not allowed.
        UnknownModelError: a library that the model needs is not installed.
    """
    manifest, digests = _manifest(folder)
    files = _files_of(folder)
    # checked as it is read: types before digests, since a foreign type is the graver finding
    estimator = _stored_fit(files / MODEL_FILE, manifest)
    evaluated = None if manifest.refit is None else _stored_fit(files / EVALUATED_FILE, manifest)
    _require_digests(files, digests, file_names(manifest))
    return TrainedModel(estimator(), manifest, _example(files / EXAMPLE_FILE), evaluated_fit=evaluated)


def _stored_fit(file: Path, manifest: ModelManifest) -> Callable[[], Any]:
    """Return what loads a fit, once, from bytes that are read and checked now.

    Raises:
        ArtifactNotFoundError: the file is missing.
        UntrustedModelError: it holds a type that is not allowed.
    """
    data = _bytes_of(file)
    trusted = _require_trusted(data, manifest.own_classes, where=str(file))
    return cache(lambda: _loaded(data, trusted, manifest, where=str(file)))


def _loaded(data: bytes, trusted: list[str], manifest: ModelManifest, where: str) -> Any:
    import skops.io

    try:
        return skops.io.loads(data, trusted=trusted)
    except ImportError as error:
        raise UnknownModelError(
            "a library that the model needs is not installed",
            where=where,
            found=str(error),
            expected=", ".join(f"{name} {version}" for name, version in manifest.library_versions.items()),
            remedy=f"install the extra of the family '{manifest.family}'",
        ) from error


def load_facts(folder: Path) -> "tuple[ModelManifest, pd.DataFrame]":
    """Read manifest and input example of a saved model, not the estimator.

    Raises:
        ArtifactNotFoundError: a file is missing.
        DigestMismatchError: a file is damaged.
    """
    return _manifest(folder)[0], _example(_files_of(folder) / EXAMPLE_FILE)


def load_manifest(folder: Path) -> ModelManifest:
    """Read the manifest of a saved model alone.

    Raises:
        ArtifactNotFoundError: it is missing.
        DigestMismatchError: it is damaged.
    """
    return _manifest(folder)[0]


def trusted_types(folder: Path) -> list[str]:
    """Return the types that skops has to trust to load a saved model, under their earlier and their present names.

    All of them are on the allow-list.

    Raises:
        UntrustedModelError: the model holds a type that is not allowed.
    """
    file, manifest = _files_of(folder) / MODEL_FILE, _manifest(folder)[0]
    needed = _require_trusted(_bytes_of(file), manifest.own_classes, where=str(file))
    return list(dict.fromkeys([*needed, *map(current_name, needed)]))


def estimator_bytes(estimator: Any) -> bytes:
    """Return an estimator as a skops file, the same bytes for the same fit.

    Skops names parts by memory address and stamps them with the time; both are replaced. Bytes between the fields of an
    array's records, which scikit-learn's trees leave as they were in memory, become 0. Whether equal values are one
    object in memory still shows, and may differ for a loaded model.

    Raises:
        UntrustedModelError: a part has no stored form.
    """
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(_dumped(estimator))) as written,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as canonical,
    ):
        numbering = _Numbering(frozenset(written.namelist()))
        schema = numbering.applied_to(json.loads(written.read(_SCHEMA)))
        parts = {new: _without_padding(written.read(old)) for old, new in numbering.files.items()}
        parts[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
        for name, data in parts.items():
            # an entry of this kind has a fixed time stamp
            canonical.writestr(zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _dumped(estimator: Any) -> bytes:
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        return bytes(skops.io.dumps(estimator))
    except (UnsupportedTypeException, AttributeError, TypeError) as error:
        raise UntrustedModelError(
            "the model holds what has no stored form",
            where=MODEL_FILE,
            found=str(error),
            expected="plain values, arrays and estimators that skops writes",
            remedy="choose another model or transformer",
        ) from error


def _without_padding(part: bytes) -> bytes:
    """Return a stored array of records with 0 in the bytes between their fields; any other part as it is."""
    if not part.startswith(_ARRAY) or _PADDING not in part[:_HEADER]:
        return part
    records = np.load(io.BytesIO(part), allow_pickle=False)
    clean = np.zeros(records.shape, records.dtype)  # `zeros_like` would leave the bytes between fields as they are
    for name in records.dtype.names or ():
        clean[name] = records[name]
    return part[: len(part) - clean.nbytes] + clean.tobytes()


class _Numbering:
    """Numbers the ids and files of a skops schema in their order of appearance."""

    def __init__(self, files: frozenset[str]) -> None:
        self._known_files = files
        self._ids: dict[int, int] = {}
        self.files: dict[str, str] = {}

    def applied_to(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.applied_to(item) for item in node]
        if isinstance(node, dict):
            return {key: self._value(key, value) for key, value in node.items()}
        return node

    def _value(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            return self._ids.setdefault(value, len(self._ids) + 1)
        if key == _ADDRESS and isinstance(value, dict):
            return self.applied_to(value) | {"content": "0"}
        if key == "file" and isinstance(value, str) and value in self._known_files:
            return self.files.setdefault(value, f"{len(self.files) + 1}{Path(value).suffix}")
        return self.applied_to(value)


def _require_trusted(data: bytes, own_classes: tuple[str, ...], where: str) -> list[str]:
    import skops.io

    try:
        needed: list[str] = skops.io.get_untrusted_types(data=data)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise _damaged(where, error) from error
    beyond = {current_name(name) for name in needed} - allowed_types()
    # the user's modules are imported only for types that are not on the list
    foreign = sorted(beyond - {_full_name(path) for path in own_classes}) if beyond else []
    if foreign:
        raise UntrustedModelError(
            "the model holds types that are not allowed",
            where=where,
            found=", ".join(foreign),
            expected="types that skops or the allow-list trusts, or that the pipeline file names",
            remedy="do not load this file unless you know who wrote it; a class of your own may keep only "
            "plain values, arrays and scikit-learn estimators in its attributes",
        )
    return needed


def _full_name(path: str) -> str:
    """Return the name that skops gives a user's class, verified to be an estimator or transformer."""
    kind = import_users_object(path, where="the model's manifest", error=UntrustedModelError)
    if not isinstance(kind, type) or not all(hasattr(kind, name) for name in ("fit", "get_params", "set_params")):
        raise UntrustedModelError(
            f"'{path}' is named as a class of the model and is no estimator",
            where="the model's manifest",
            found=repr(kind),
            expected="a class with fit, get_params and set_params",
            remedy="do not load this model unless you know who wrote it",
        )
    return f"{kind.__module__}.{kind.__name__}"


def _files_of(folder: Path) -> Path:
    """Return where the files are that a folder's manifest describes."""
    return folder / folder_of(_bytes_of(folder / MANIFEST_FILE))


def _manifest(folder: Path) -> tuple[ModelManifest, dict[str, str]]:
    try:
        facts = json.loads(_bytes_of(folder / MANIFEST_FILE))
        digests = facts.pop(FILES, {})  # version 0.1 wrote none
        facts.pop(FOLDER, None)
        return ModelManifest.model_validate_json(json.dumps(facts)), dict(digests)
    except (ValidationError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(str(folder / MANIFEST_FILE), error) from error


def _require_digests(folder: Path, digests: Mapping[str, str], names: Sequence[str]) -> None:
    """Compare the model's own files with the digests in its manifest; texts for people beside them may change."""
    for name in names:
        found, digest = _sha256(folder / name), digests.get(name)
        if digest not in {None, found}:
            raise DigestMismatchError(
                "a file of the model is not the one that its manifest names",
                where=str(folder / name),
                found=f"SHA-256 {found[:16]}",
                expected=f"SHA-256 {str(digest)[:16]}",
                remedy="fetch the model again, or train it again",
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(_bytes_of(path)).hexdigest()


def _example(path: Path) -> "pd.DataFrame":
    data = _bytes_of(path)
    try:
        frame: pd.DataFrame = pq.read_table(io.BytesIO(data)).to_pandas()
    except pa.ArrowException as error:
        raise _damaged(str(path), error) from error
    return frame


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(
            "the model's folder is not complete",
            where=str(path.parent),
            found=f"no {path.name}",
            expected=f"{MODEL_FILE}, {MANIFEST_FILE} and {EXAMPLE_FILE}; {EVALUATED_FILE} where its manifest names it",
            remedy="fetch the model again, or train it again",
        ) from error


def _damaged(where: str, error: Exception) -> DigestMismatchError:
    return DigestMismatchError(
        "the model's file is damaged",
        where=where,
        found=f"{type(error).__name__}: {error}",
        expected="a file as it was saved",
        remedy="fetch the model again, or train it again",
    )
