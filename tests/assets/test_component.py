"""Pipelines as Dagster's Components: what the factory makes, refused as pipeline files are, with one platform."""

import sys
import tomllib
from itertools import count
from pathlib import Path

import dagster as dg
import pytest

from assay.errors import AssayError
from assay.specs.loading import parse_pipeline
from ml_assets import component
from ml_assets.component import AssayPipeline, AssayPlatform, PipelineScaffolder
from ml_assets.factory import pipeline_definitions
from ml_assets.resource_wiring import resources_for
from resources.settings import Settings

# as `load_from_defs_folder` does for what Dagster itself uses; and its use of a deprecated function of pydantic
pytestmark = pytest.mark.filterwarnings(
    "ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning", "ignore:`parse_obj_as` is deprecated"
)
ROOT = Path(__file__).parents[2]
TYPE = "type: ml_assets.component.AssayPipeline\nattributes:\n"
PLATFORM = "type: ml_assets.component.AssayPlatform\n"
CHURN = """\
  name: churn
  task: binary_classification
  dataset: {source: churn.csv, target: churned}
  validation: {allowed: {plan: [basic, no]}}
  automation: {schedule: "0 6 * * 0", retrain_on: [new_data]}
"""
RENTS = "  name: rents\n  task: regression\n  dataset: {source: rents.csv, target: rent}\n"
NUMBERS = count()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a function that writes a project of components, and gives its tree."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def made(**files):
        name = f"team_{next(NUMBERS)}"
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
        )
        for folder, text in files.items():
            path = tmp_path / name / "defs" / folder / "defs.yaml"
            path.parent.mkdir(parents=True)
            path.write_text(text)
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "defs" / "__init__.py").touch()
        return dg.ComponentTree.for_project(tmp_path)

    yield made
    for each in [each for each in sys.modules if each.startswith("team_")]:
        del sys.modules[each]


def names(definitions):
    assets = {key.to_user_string() for each in definitions.assets or () for key in each.keys}
    started = (definitions.jobs, definitions.sensors, definitions.schedules)
    return assets, *({each.name for each in some or ()} for some in started)


def refusal(build):
    """Return the typed error that Dagster's own error tells the cause of."""
    with pytest.raises(Exception, match="Error while") as raised:
        build()
    error = raised.value
    while not isinstance(error, AssayError):
        error = error.__cause__
        assert error is not None
    return error


def test_components_make_what_the_factory_makes_and_share_one_platform(project):
    tree = project(churn=TYPE + CHURN, rents=TYPE + RENTS, platform=PLATFORM)
    spec = parse_pipeline("\n".join(line[2:] for line in CHURN.splitlines()), where="x")

    assert names(tree.build_defs("churn")) == names(pipeline_definitions(spec))
    [churn] = tree.load_component("churn", AssayPipeline).specs
    assert churn == spec
    assert churn.validation.allowed == {"plan": ("basic", "no")}, "YAML 1.2: no is text"

    whole = tree.build_defs()
    dg.Definitions.validate_loadable(whole)
    assert whole.resources.keys() == resources_for(Settings()).keys()
    assert {"churn", "rents"} == {key.path[0] for key in whole.resolve_all_asset_keys()}
    assert {"artifact_janitor_job", "champion_rollback_job"} <= {each.name for each in whole.jobs}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (CHURN.replace("dataset:", "datset:"), "defs.yaml:5 (attributes.datset)", "unknown key 'datset'"),
        (CHURN + "  model: {candidates: [logistik]}\n", "defs.yaml:8 (attributes.model", "logistik"),
        ("  {}\n", "defs.yaml", "'dataset' is missing"),
        ("", "defs.yaml", "the component has no attributes"),
        (CHURN + "  environments: {dev: {nam: x}}\n", "defs.yaml:8", "nam"),
    ],
)
def test_complaints_have_the_line_of_the_component_file(text, where, what, project):
    error = str(refusal(project(churn=TYPE + text, platform=PLATFORM).build_defs))
    assert where in error
    assert what in error


def test_a_file_can_hold_several_components(project):
    text = f"# of one team\n---\n{TYPE}{CHURN}---\n{TYPE}{RENTS}"
    tree = project(both=text, platform=PLATFORM)
    assert [spec.name for each in tree.get_all_components(AssayPipeline) for spec in each.specs] == ["churn", "rents"]
    broken = project(both=text.replace("target: rent", "tagret: rent"), platform=PLATFORM)
    assert f"defs.yaml:{3 + len((TYPE + CHURN).splitlines()) + 5} (attributes.dataset" in str(
        refusal(broken.build_defs)
    )


def test_a_component_extends_a_pipeline_file(project, tmp_path):
    (tmp_path / "rents.yaml").write_text("\n".join(line[2:] for line in RENTS.splitlines()))
    tree = project(rents=f"{TYPE}  extends: ../../../rents.yaml\n  tuning: {{n_trials: 3}}\n", platform=PLATFORM)
    [spec] = tree.load_component("rents", AssayPipeline).specs
    assert (spec.name, spec.tuning.n_trials) == ("rents", 3)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "`dg scaffold defs ml_assets.component.AssayPlatform platform` adds it"),
        ({"first": PLATFORM, "second": PLATFORM}, "found: 2"),
        ({"copy": TYPE + CHURN, "platform": PLATFORM}, "two components name their pipeline 'churn'"),
        (
            {"reads": TYPE + RENTS.replace("rents.csv", "features://chrn"), "platform": PLATFORM},
            "where: rents (dataset.source)",
        ),
    ],
)
def test_a_project_that_does_not_fit_together_is_refused(files, said, project):
    assert said in str(refusal(project(churn=TYPE + CHURN, **files).build_defs))


def test_a_component_can_be_made_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attributes = {"name": "rents", "task": "regression", "dataset": {"source": "rents.csv", "target": "rent"}}
    made = AssayPipeline.from_attributes_dict(attributes=attributes)
    assert "rents/raw_dataset" in names(dg.build_defs_for_component(made))[0]
    with pytest.raises(AssayError, match="unknown key 'tusk'"):
        AssayPipeline.from_attributes_dict(attributes={**attributes, "tusk": 1})


def test_a_scaffolded_component_can_be_loaded(project, tmp_path):
    (tmp_path / "Some Visits").mkdir()
    request = dg.ScaffoldRequest(
        type_name="ml_assets.component.AssayPipeline",
        target_path=tmp_path / "Some Visits",
        scaffold_format="yaml",
        project_root=tmp_path,
        params=None,
        append=False,
    )
    PipelineScaffolder().scaffold(request)
    tree = project(visits=(tmp_path / "Some Visits/defs.yaml").read_text(), platform=PLATFORM)
    assert [spec.name for spec in tree.load_component("visits", AssayPipeline).specs] == ["some_visits"]


def test_dg_finds_the_types_and_their_schema(monkeypatch):
    checkout = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    installed = tomllib.loads((ROOT / "deploy/platform/pyproject.toml").read_text())["project"]["entry-points"]
    module = AssayPipeline.__module__
    assert checkout["registry_modules"] == [module]
    assert list(installed["dagster_dg_cli.registry_modules"].values()) == [module]
    monkeypatch.setattr(component, "pipeline_json_schema", lambda: {"title": "of pipeline files"})
    assert AssayPipeline.get_model_cls().model_json_schema() == {"title": "of pipeline files"}
    assert "resource" in AssayPlatform.get_spec().produces
