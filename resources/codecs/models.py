"""Trained models in their own safe format.

Does not belong here: the format (`assay.persistence`).
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.training.trained_model import TrainedModel
from resources.codecs.interface import ArtifactReader, Codec, Encoded
from resources.file_digests import bundle_digest


class ModelCodec(Codec):
    """`TrainedModel`."""

    name = "trained_model"

    def takes(self, kind: type[Any]) -> bool:
        """Take trained models."""
        return kind is TrainedModel

    def encode(self, value: TrainedModel, folder: Path) -> Encoded:
        """Write the bundle's files."""
        from assay.persistence import save_model

        save_model(value, folder)
        files = {path.name: path for path in sorted(folder.iterdir())}
        facts = value.manifest
        return Encoded(
            files=files,
            data_version=bundle_digest(folder),
            properties={"family": facts.family, "train_rows": facts.train_rows},
        )

    def decode(self, reader: ArtifactReader, kind: type[Any], columns: Sequence[str] | None) -> TrainedModel:  # noqa: ARG002 - no columns here
        """Verify every file, then load the bundle."""
        from assay.persistence import load_model

        with tempfile.TemporaryDirectory(prefix="assay-model-") as folder:
            for item in reader.commit.objects:
                (Path(folder) / item.name).write_bytes(reader.verified_bytes(item.name))
            return load_model(Path(folder))
