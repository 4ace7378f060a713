"""Models by their address: a bundle in a folder or on S3, or a version in a deployment's registry."""

import contextlib
import shutil
from pathlib import Path
from typing import Protocol

from assay.errors import DigestMismatchError, SourceNotFoundError, SpecError
from assay.learning.persistence import file_names, load_manifest, load_model
from assay.prediction.predictor import Predictor
from assay.results.bundle import MANIFEST_FILE, bundle_digest, folder_of
from assay.results.trained_model import TrainedModel
from assay.scratch import scratch_folder
from assay.shell.storage import AnyStorage, Storage, adapter, joined

GROUP = "assay.models"
_REGISTRY = "models"
_FETCHES = 3


class Models(Protocol):
    """A registry of models."""

    def model(self, name: str, version: str) -> TrainedModel:
        """Return a version of a registered model, `champion` for the current one; its files are verified.

        Raises:
            TrackingError: there is no such version.
            DigestMismatchError: its files are not those that were registered.
        """


def load(uri: str) -> Predictor:
    """Return a model that predicts rows of any form.

    Args:
        uri: the folder of a bundle, local or `s3://`; or `models:/<name>@champion` or `models:/<name>/<version>`, in
            the registry of the deployment whose settings the environment has.

    Raises:
        AssayError: there is no such model, or it cannot be loaded.
    """
    return Predictor(model_at(uri, AnyStorage()))


def model_at(uri: str, storage: Storage) -> TrainedModel:
    """Return the model at an address.

    Raises:
        SourceError: a file of the bundle is not there.
        TrackingError: the registry has no such version.
        UntrustedModelError: the model holds a type that is not allowed.
    """
    if uri.startswith(f"{_REGISTRY}:/"):
        name, version = _registered(uri)
        make = adapter(GROUP, _REGISTRY, error=SpecError, what="the registry cannot be used here", where=uri)
        registry: Models = make()
        return registry.model(name, version)
    return fetched_bundle(uri, storage)[0]


def fetched_bundle(uri: str, storage: Storage) -> tuple[TrainedModel, str]:
    """Return the model whose manifest is at an address now, and the digest of its bundle."""
    for _ in range(_FETCHES - 1):
        with contextlib.suppress(SourceNotFoundError, DigestMismatchError):  # replaced meanwhile, or a bit flipped
            return _fetched_once(uri, storage)
    return _fetched_once(uri, storage)


def _fetched_once(uri: str, storage: Storage) -> tuple[TrainedModel, str]:
    with scratch_folder("bundle") as name:
        fetched, bundle = Path(name, "fetched"), Path(name, "bundle")
        fetched.mkdir()
        bundle.mkdir()
        shutil.copyfile(storage.fetch(joined(uri, MANIFEST_FILE), fetched)[0].path, bundle / MANIFEST_FILE)
        folder = folder_of((bundle / MANIFEST_FILE).read_bytes())
        (bundle / folder).mkdir(exist_ok=True)
        for file in file_names(load_manifest(bundle)):
            address = joined(uri, folder, file) if folder else joined(uri, file)
            shutil.copyfile(storage.fetch(address, fetched)[0].path, bundle / folder / file)
        return load_model(bundle), bundle_digest(bundle)


def _registered(uri: str) -> tuple[str, str]:
    """Return name and version of a registry's address."""
    rest = uri.removeprefix(f"{_REGISTRY}:").lstrip("/")
    for mark in ("@", "/"):
        name, found, version = rest.partition(mark)
        if found and name and version:
            return name, version
    raise SpecError(
        "this names no version of a registered model",
        where=uri,
        expected="models:/<name>@champion, or models:/<name>/<version>",
    )
