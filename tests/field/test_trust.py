"""Reports on trust: what run parameters, variables and addresses must not reach."""

import inspect
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.errors import SpecError
from assay.importing import ImportPolicy, confined_imports, import_users_object
from assay.specs.loading import parse_pipeline
from assay.specs.overrides import apply_overrides, parse_overrides
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.resource_wiring import run_policy_of as policy_of
from resources.settings import Settings

COMMAND_LINE = "touch,/tmp/x\n1,2\n"


def refusal_of(bank, parameters):
    result = bank.materialize("bank/raw_dataset", parameters=parameters)
    assert not result.success
    return failure(result)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder as working directory, its settings, and its pipeline."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "data" / "bank.csv", bank_rows())
    settings = Settings(home=tmp_path / "home", pipelines_dir=tmp_path / "pipelines")
    return settings, parse_pipeline(BANK.format(source="data/bank.csv"), where="bank.yaml")


def refusal(project, **parameters):
    settings, spec = project
    with pytest.raises(SpecError) as refused:
        policy_of(settings).require(parse_overrides(parameters, where="x"), spec, where="x")
    return str(refused.value)


def accept(project, **parameters):
    settings, spec = project
    policy_of(settings).require(parse_overrides(parameters, where="x"), spec, where="x")


def test_a_run_executes_no_program(bank):
    """`data_validation: {custom: {x: "subprocess:call"}}` ran the command line in the header of `data_source`."""
    text = refusal_of(bank, {"data_validation": {"custom": {"x": "subprocess:call"}}})
    assert "[spec_invalid] a run parameter names code" in text
    assert "ASSAY_RUN_CODE=on" in text


@pytest.mark.parametrize(
    "parameters",
    [
        {"data_validation": {"pandera_schema": "os:environ"}},
        {"model_name": "subprocess:Popen"},
        {"model_name": "sklearn.svm:LinearSVC"},
    ],
)
def test_a_run_names_no_code(project, parameters):
    assert "a run parameter names code" in refusal(project, **parameters)


def test_a_deployment_may_let_runs_name_code(project):
    settings, spec = project
    accept((settings.model_copy(update={"run_code": "on"}), spec), model_name="sklearn.svm:LinearSVC")


def test_a_run_may_choose_among_the_files_own_candidates(project):
    text = BANK.replace("[logistic_regression]", '["sklearn.svm:LinearSVC", logistic_regression]')
    spec = parse_pipeline(text.format(source="data/bank.csv"), where="x")
    accept((project[0], spec), model_name="sklearn.svm:LinearSVC")


@pytest.fixture
def outside(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("outside") / "secret.csv", bank_rows())


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "../../../../../../../../etc/passwd",
        "data/../../../../../../../../etc/passwd",
        "/etc/*",
        "data/*/../../../etc/passwd",
        "data/linked.csv",
        "linked_folder/secret.csv",
        "linked_folder/",
        "link*/*.csv",
        "home/store/bank/x.parquet",
        ".env",
        "~/.ssh/id_rsa",
        "s3://bucket-of-others/bank.csv",
        "https://example.org/bank.csv",
        "https://169.254.169.254/latest/meta-data",
        "sql://warehouse",
        "sqlite:////etc/passwd",
        "duckdb:////etc/passwd",
        "${HOME}/bank.csv",
        "ftp://example.org/bank.csv",
        "data/\0/bank.csv",
        "data/" + "a" * 5000,
    ],
)
def test_a_run_reads_nothing_outside_its_roots(project, tmp_path, outside, address):
    (tmp_path / ".env").write_text("ASSAY_NOTIFY_SLACK_URL=https://hooks.example.org/secret\n")
    (tmp_path / "data" / "linked.csv").symlink_to(outside)
    (tmp_path / "linked_folder").symlink_to(outside.parent)
    assert "data_source" in refusal(project, data_source=address)


def test_a_run_does_not_bring_files_of_the_machine_into_the_store(bank, tmp_path):
    """`data_source: /etc/passwd` came to lie in the store."""
    assert "a run may not name this location" in refusal_of(bank, {"data_source": "/etc/passwd", "data_format": "csv"})
    assert not list((tmp_path / "home").rglob("*.parquet"))


@pytest.mark.parametrize(
    "target", ["/etc/assay", "../elsewhere", "home/store", "s3://bucket-of-others/models", "linked"]
)
def test_a_run_writes_nothing_outside_its_roots(project, tmp_path, outside, target):
    (tmp_path / "linked").symlink_to(outside.parent)
    assert "target_output_path" in refusal(project, target_output_path=target)


def test_the_payload_of_a_run_reads_and_writes_inside_the_project(project, tmp_path):
    write_csv(tmp_path / "incoming" / "bank_02.csv", bank_rows(seed=8))
    accept(project, data_source="incoming/bank_02.csv", target_output_path="output/models", model_version="2")
    accept(project, data_source="incoming/*.csv")
    accept(project, data_source=str(tmp_path / "incoming"))


def test_a_root_is_a_setting(project, outside):
    settings = project[0].model_copy(update={"run_roots": f"{outside.parent}, s3://lake/in"})
    accept((settings, project[1]), data_source=str(outside))
    assert settings.roots_of_runs == (str(outside.parent), "s3://lake/in")


def allowed(policy, spec, **parameters):
    try:
        policy.require(parse_overrides(parameters, where="x"), spec, where="x")
    except SpecError:
        return False
    return True


def test_the_configured_buckets_are_roots_and_the_store_inside_is_not(tmp_path):
    settings = Settings(pipelines_dir=tmp_path / "p" / "pipelines", storage_uri="s3://ours/assay")
    policy = policy_of(settings.model_copy(update={"https_allowed_hosts": "data.example.org"}))
    spec = parse_pipeline(BANK.format(source="s3://theirs/in/bank.csv"), where="x")
    for address, right in {
        "s3://ours/raw/bank.csv": True,
        "s3://ours/assay/bank/raw_dataset/x.parquet": False,
        "s3://ours-too/raw/bank.csv": False,
        "s3://theirs/in/bank_2.csv": True,
        "https://data.example.org/bank.csv": True,
        "https://data.example.org.evil.org/bank.csv": False,
        "demo://flights": True,
    }.items():
        assert allowed(policy, spec, data_source=address) is right, address
    assert allowed(policy, spec, target_output_path="s3://ours/models")
    assert not allowed(policy, spec, target_output_path="s3://ours/assay")
    assert not allowed(policy, spec, model_version="../../x")


def test_the_root_of_the_disk_is_no_default(tmp_path):
    assert Settings(pipelines_dir=Path("/pipelines")).roots_of_runs == ("/pipelines",)


def test_a_run_changes_no_resource_of_the_deployment(bank):
    config = {"data_sources": {"config": {"https_allow_private": True}}}
    definition = bank.definitions.resolve_implicit_global_asset_job_def()
    keys = [key for key in bank.definitions.resolve_all_asset_keys() if key.path[-1] == "raw_dataset"]
    result = definition.execute_in_process(
        asset_selection=keys, instance=bank.instance, run_config={"resources": config}, raise_on_error=False
    )
    assert not result.success
    assert "the run config changes resources of the deployment" in failure(result)


def test_parameters_in_the_config_of_a_step_are_not_passed_over(bank):
    """They were ignored: the run read the file's own source, with exit code 0."""
    definition = bank.definitions.resolve_implicit_global_asset_job_def()
    keys = [key for key in bank.definitions.resolve_all_asset_keys() if key.path[-1] == "raw_dataset"]
    config = {"bank__raw_dataset": {"config": {"data_source": "incoming/bank.csv"}}}
    result = definition.execute_in_process(
        asset_selection=keys, instance=bank.instance, run_config={"ops": config}, raise_on_error=False
    )
    assert not result.success
    assert "a step of a pipeline takes no config of its own" in failure(result)
    assert "resources.run_parameters.config" in failure(result)


@pytest.fixture
def own_modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "trusted_rules.py").write_text(
        "import subprocess\nfrom subprocess import call\n\ndef fine(rows):\n    return True\n\nTABLE = {'a': 1}\n"
    )
    yield tmp_path
    sys.modules.pop("trusted_rules", None)


@pytest.mark.parametrize(
    "path",
    [
        "subprocess:call",
        "os:system",
        "builtins:eval",
        "trusted_rules:subprocess.call",
        "trusted_rules:call",
        "trusted_rules:fine.__globals__",
        "trusted_rules:__builtins__",
        "sklearn.base:warnings.warn",
        "resources.settings:sql_connections",
        "dagster:materialize",
    ],
)
def test_a_file_names_only_its_own_modules_and_listed_packages(own_modules, path):
    with confined_imports(ImportPolicy(own_modules)), pytest.raises(SpecError, match="ASSAY_IMPORT_PACKAGES"):
        import_users_object(path, where="x")


def test_own_modules_and_listed_packages_are_found(own_modules):
    with confined_imports(ImportPolicy(own_modules)):
        assert import_users_object("trusted_rules:fine", where="x")(None)
        assert import_users_object("trusted_rules:TABLE", where="x") == {"a": 1}
        assert import_users_object("sklearn.svm:LinearSVC", where="x").__name__ == "LinearSVC"


def test_a_rule_of_a_file_runs_no_program(bank, tmp_path):
    (tmp_path / "rows.csv").write_text(COMMAND_LINE)
    bank.settings = bank.settings.model_copy(update={"extensions_dir": tmp_path})
    text = BANK.replace(", pii: true", "").replace("min_rows: 50", "min_rows: 50\n  custom: {{x: 'subprocess:call'}}")
    bank.pipeline(text, tmp_path / "data" / "bank.csv")
    result = bank.materialize("bank/raw_dataset", "bank/validated_dataset")
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert "may not be named here" in json.dumps([str(check.metadata) + str(check.description) for check in failed])


def test_the_image_binds_loopback_unless_told_otherwise():
    """The image listened on 0.0.0.0 without sign-in."""
    text = (Path(__file__).parents[2] / "Dockerfile").read_text()
    commands = [line for line in text.splitlines() if not line.startswith("#")]
    assert any("ASSAY_UI_HOST=127.0.0.1" in line for line in commands)
    assert not any("0.0.0.0" in line for line in commands)


class RefusingPolicy:
    """Refuses all run config."""

    def require_config(self, run_config, *, where):
        raise SpecError("refused", where=where)


def refuses_run_config(op):
    """Whether an op asks the policy before anything else."""
    step = op.compute_fn.decorated_fn
    run = SimpleNamespace(run=SimpleNamespace(run_config={}), job_name="a_job")
    given = {"context": run, "run_parameters": RunParameters(), "run_policy": RefusingPolicy()}
    try:
        step(**{name: given.get(name) for name in inspect.signature(step).parameters})
    except SpecError as error:
        return "refused" in str(error)
    except AttributeError:
        return False


def test_every_op_of_every_job_refuses_run_config_before_its_body_runs(bank):
    jobs = bank.definitions.get_repository_def().get_all_jobs()
    ops = {op.name: op for job in jobs for op in job.all_node_defs if isinstance(op, dg.OpDefinition)}
    assert {"bank__trained_model", "roll_back_champion", "remove_leftovers", "order_redrive"} <= set(ops)
    assert [name for name, op in ops.items() if not refuses_run_config(op)] == []


@pytest.mark.parametrize("parameter", ["columns", "ingestion_config"])
def test_a_run_does_not_show_a_column_that_the_file_hides(project, parameter):
    settings, spec = project
    hidden = apply_overrides(spec, parse_overrides({"columns": {"job": {"pii": True}}}, where="x"))
    shown = {"job": {"pii": False}}
    given = {"columns": shown} if parameter == "columns" else {"ingestion_config": {"columns": shown}}
    assert "may not show the values of a column that the pipeline file hides" in refusal((settings, hidden), **given)
    accept((settings, spec), **given)
    accept((settings, hidden), columns={"job": {"role": "ignored"}})


def test_the_object_of_a_payload_must_lie_below_the_roots(project):
    stored = {"object_storage": {"bucket": "others", "object_key": "people.csv"}}
    assert "s3://others/people.csv" in refusal(project, ingestion_config=stored)
