"""The files of a logged model: what `mlflow.pyfunc.load_model` needs where nothing of ours is installed.

`MLmodel` names the loader, `assay.prediction.served_model`; `bundle/` is Assay's bundle, without pickle; `code/` holds
one wheel of the modules that predict, which MLflow puts on the path; `requirements.txt` pins the libraries of the
training (`docs/adr/0014-a-registered-model-carries-its-code.md`).

The signature says what the source's columns are. MLflow's own enforcement of it would refuse an integer for a float and
make False of a missing boolean in JSON, so it is marked as MLflow marks signatures of type hints: rows reach the model
as they are, and JSON is `{"inputs": records or columns}`.
"""

import importlib.metadata
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import assay
from assay.data.schema import ColumnSchema
from assay.importing import users_files
from assay.prediction.predictor import LOWER, PREDICTION, UPPER, probability_of
from assay.prediction.served_model import DIGEST, INTERVAL, PROBABILITIES
from assay.results.bundle import bundle_digest
from assay.results.trained_model import ModelManifest, TrainedModel
from resources.mlflow.logged_models import BUNDLE

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec

_DISTRIBUTION = "assay_runtime"
"""Not `assay`: on the path before an installed platform it would hide that one's entry points."""
CODE = f"code/{_DISTRIBUTION}-{assay.__version__}-py3-none-any.whl"
_LOADER = "assay.prediction.served_model"
_NOT_FOR_PREDICTIONS = frozenset(
    [
        "scaffolding",
        "serving",
        "shell",
        "arrivals",
        "drafting",
        "notifications",
        "reporting",
        "backtesting",
        "live",
        "monitoring",
        "promotion",
        "gate",
    ]
)
_ALWAYS = ("numpy", "pandas", "pyarrow", "pydantic", "pyyaml", "ruamel.yaml", "scikit-learn", "scipy", "skops")
"""What every prediction imports; families add theirs."""
_STEPS = ("duckdb",)
_NEVER_MISSING = {"long": 0, "boolean": False}
"""What stands in an example where none of its rows has a value."""
_SERVING_EXAMPLE = "serving_input_example.json"


def save_flavour(model: TrainedModel, folder: Path, bundle: Path) -> None:
    """Write a model's files for MLflow into a new folder, the bundle aside, which belongs at `bundle/` in it."""
    import mlflow.pyfunc
    from mlflow.models import Model
    from mlflow.models.utils import _save_example

    folder.mkdir(parents=True)
    described = Model()
    described.signature = signature_of(model.manifest)
    example = input_example(model)
    if example is not None:
        _save_example(described, example, str(folder))
        records = json.loads(example.to_json(orient="records", date_format="iso"))
        (folder / _SERVING_EXAMPLE).write_text(json.dumps({"inputs": records}, indent=1), encoding="utf-8")
    mlflow.pyfunc.add_to_model(
        described,
        loader_module=_LOADER,
        data=BUNDLE,
        code=CODE,
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        model_config={DIGEST: bundle_digest(bundle)},
    )
    (folder / CODE).parent.mkdir()
    (folder / CODE).write_bytes(runtime_wheel() if not _own_paths(model.manifest) else _with_own(model.manifest))
    _write_environment(folder, requirements(model))
    described.save(str(folder / "MLmodel"))


def signature_of(manifest: ModelManifest) -> "ModelSignature":
    """Return the columns that predictions take, with their types, what they give, and the parameters."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    intake = manifest.intake
    columns = intake.columns if intake else manifest.features.columns
    required = intake.required if intake else manifest.features.names
    params = []
    outputs = [ColSpec(_type_of_labels(manifest), PREDICTION)]
    if manifest.task.is_classification:
        outputs += [ColSpec("double", probability_of(label), required=False) for label in manifest.classes]
        params = [ParamSpec(PROBABILITIES, "boolean", default=True)]
    else:
        outputs += [ColSpec("double", name, required=False) for name in (LOWER, UPPER)]
        params = [ParamSpec(INTERVAL, "double", default=0.0)]
    found = ModelSignature(
        inputs=Schema(list[Any](_column(each, required=each.name in required) for each in columns)),
        outputs=Schema(list[Any](outputs)),
        params=ParamSchema(params),
    )
    found._is_signature_from_type_hint = True  # noqa: SLF001 - how MLflow hands rows over as they are
    return found


def _column(column: ColumnSchema, *, required: bool) -> "ColSpec":
    from mlflow.types import ColSpec
    from mlflow.types.schema import AnyType

    kind = _mlflow_type(column.dtype) or AnyType()  # type: ignore[no-untyped-call]
    return ColSpec(kind, column.name, required=required)


def _mlflow_type(dtype: str) -> str | None:
    """Return MLflow's name of an Arrow type; None where it has none."""
    kinds = {"int": "long", "uint": "long", "float": "double", "halffloat": "double", "double": "double",
             "decimal": "double", "bool": "boolean", "string": "string", "timestamp": "datetime",
             "date": "datetime"}  # fmt: skip
    return next((name for kind, name in kinds.items() if dtype.startswith(kind)), None)


def _type_of_labels(manifest: ModelManifest) -> str:
    if not manifest.task.is_classification:
        return "double"
    kinds = {type(label) for label in manifest.classes}
    names = {bool: "boolean", int: "long", float: "double"}
    return names.get(kinds.pop(), "string") if len(kinds) == 1 else "string"


def input_example(model: TrainedModel) -> "pd.DataFrame | None":
    """Return some rows as the source has them; None where the model records none.

    MLflow reads an example by the signature: it cannot read a missing integer, and a missing boolean becomes False.
    """
    import pandas as pd

    intake = model.manifest.intake
    if intake is None:
        return model.input_example
    rows = [dict(row) for row in intake.example]
    for column in intake.columns:
        kind = _mlflow_type(column.dtype)
        present = [row[column.name] for row in rows if row[column.name] is not None]
        for row in rows if kind in _NEVER_MISSING else ():
            if row[column.name] is None:
                row[column.name] = present[0] if present else _NEVER_MISSING[str(kind)]
    return pd.DataFrame.from_records(rows) if rows else None


def requirements(model: TrainedModel) -> list[str]:
    """Return the pinned public packages that predictions need.

    Assay itself is left out: the model carries the part of it that predicts, and a public package that happens to have
    its name must never be fetched in its place.
    """
    recorded = {name: v for name, v in model.manifest.library_versions.items() if name not in {"python", "assay"}}
    steps = _STEPS if model.manifest.intake is not None and model.manifest.intake.features is not None else ()
    present = {name: importlib.metadata.version(name) for name in (*_ALWAYS, *steps) if name not in recorded}
    pinned = [f"{name}=={version}" for name, version in sorted((recorded | present).items())]
    return [*pinned, f"mlflow=={importlib.metadata.version('mlflow')}"]


def _write_environment(folder: Path, pinned: list[str]) -> None:
    from mlflow.utils.environment import _mlflow_conda_env, _PythonEnv
    from mlflow.utils.file_utils import write_yaml

    (folder / "requirements.txt").write_text("\n".join(pinned) + "\n", encoding="utf-8")
    conda = _mlflow_conda_env(additional_pip_deps=pinned, install_mlflow=False)  # type: ignore[no-untyped-call]
    write_yaml(str(folder), "conda.yaml", data=conda)
    _PythonEnv.current().to_yaml(str(folder / "python_env.yaml"))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def runtime_wheel() -> bytes:
    """Return a wheel of the modules that predict, the same bytes for the same code."""
    return _wheel(dict(_own_modules()))


def _own_modules() -> Iterator[tuple[str, bytes]]:
    root = Path(str(assay.__file__)).parent
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if name.parts[0] not in _NOT_FOR_PREDICTIONS:
            yield f"assay/{name.as_posix()}", path.read_bytes()


def _own_paths(manifest: ModelManifest) -> list[str]:
    """Return the import paths of the user's own code that predictions run."""
    steps = manifest.intake.features.steps if manifest.intake and manifest.intake.features else ()
    return [*manifest.own_classes, *(step.python for step in steps if step.python is not None)]


def _with_own(manifest: ModelManifest) -> bytes:
    own = {name: data for path in _own_paths(manifest) for name, data in users_files(path)}
    return _wheel(dict(_own_modules()) | own)


def _wheel(files: Mapping[str, bytes]) -> bytes:
    info = f"{_DISTRIBUTION}-{assay.__version__}.dist-info"
    described = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {_DISTRIBUTION}\nVersion: {assay.__version__}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: assay\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, data in (dict(files) | described).items():
            # an entry of this kind has a fixed time stamp
            wheel.writestr(zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED)
        record = "".join(f"{name},,\n" for name in (*files, *described, f"{info}/RECORD"))
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), record, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
