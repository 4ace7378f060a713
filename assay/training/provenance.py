"""What a manifest says of a model's making: versions, seeds, and the digest of what training read from the spec.

Does not belong here: fitting.
"""

import platform
from importlib.metadata import PackageNotFoundError, version

from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec

_ALWAYS = ("scikit-learn", "numpy", "pandas", "scipy", "skops")
# one wheel or the other provides the same library
_LIBRARIES_OF_FAMILIES = {"lightgbm": ("lightgbm",), "xgboost": ("xgboost-cpu", "xgboost")}


def training_digest(spec: PipelineSpec) -> str:
    """Return the digest of those parts of a pipeline file that decide what training does with given rows."""
    training = spec.training.model_dump(mode="json", exclude={"target_output_path"})
    model = spec.model.model_dump(mode="json", exclude={"name"})
    return digest_of(str(spec.task), spec.dataset.target, spec.split, spec.preparation, model, training)


def library_versions(family: str) -> dict[str, str]:
    """Return the versions of Python, of this package and of the libraries that a family's fitted state depends on.

    Args:
        family: a family's name, or an import path, whose first package is then looked up.
    """
    from assay import __version__

    own = (family.split(":", 1)[0].split(".", 1)[0],) if ":" in family else _LIBRARIES_OF_FAMILIES.get(family, ())
    found = {name: _version(name) for name in (*_ALWAYS, *own)}
    installed = {name: text for name, text in found.items() if text is not None}
    return {"python": platform.python_version(), "assay": __version__} | installed


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
