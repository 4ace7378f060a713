"""The model that an incremental training goes on from, fetched from a bundle.

Does not belong here: going on (`assay.training`).
"""

import logging
import shutil
import tempfile
from pathlib import Path

from assay.errors import SpecError
from assay.persistence import EXAMPLE_FILE, MANIFEST_FILE, MODEL_FILE, load_model
from assay.shell.storage import Storage, joined
from assay.specs.pipeline import PipelineSpec
from assay.training.trained_model import TrainedModel

_LOG = logging.getLogger("assay.shell")


def base_model(uri: str | None, spec: PipelineSpec, storage: Storage) -> TrainedModel | None:
    """Return the model to go on from; None for a fit in full.

    Args:
        uri: of a bundle.
        spec: the pipeline, which says the scenario.
        storage: where the bundle is.

    Raises:
        SpecError: a full fit was given a base.
        SourceError: a file of the bundle is not there.
        UntrustedModelError: the model holds a type that is not allowed.
    """
    if spec.training.scenario == "full":
        if uri is not None:
            raise SpecError(
                "a full fit has no base model",
                where="--base-model-uri",
                found=uri,
                remedy="add --training-scenario incremental, or leave the base model out",
            )
        return None
    if uri is None:
        _LOG.warning("no --base-model-uri is given, so the incremental training is a fit in full")
        return None
    with tempfile.TemporaryDirectory(prefix="assay-base-") as name:
        fetched, bundle = Path(name, "fetched"), Path(name, "bundle")
        fetched.mkdir()
        bundle.mkdir()
        for file in (MODEL_FILE, MANIFEST_FILE, EXAMPLE_FILE):
            shutil.copyfile(storage.fetch(joined(uri, file), fetched)[0].path, bundle / file)
        return load_model(bundle)
