"""Reports on specifications that were refused only after a search and a fit, or in words that do not help."""

import re

import pytest
from small_platform import BANK, failure

from assay.errors import AssayError, SerialisedError, SpecError
from assay.learning.estimators.family import meant_family
from assay.learning.known_names import name_check
from assay.shell.main import Exit, main
from assay.specs.loading import parse_pipeline, read_pipelines

TEXT = BANK.format(source="a.csv")


def refused(text):
    with pytest.raises(AssayError) as caught:
        parse_pipeline(text, where="bank.yaml", names=name_check())
    return caught.value


@pytest.mark.parametrize(
    ("added", "name", "hint"),
    [
        ("evaluation:\n  metrics: [accurracy]\n", "accurracy", "accuracy"),
        ("evaluation:\n  minimum:\n    roc_auk: 0.6\n", "roc_auk", "roc_auc"),
        ("evaluation:\n  primary_metric: rmse\n", "rmse", ""),
        (
            "preprocessing:\n  steps:\n    - {step: standard_scalar, columns: [age]}\n",
            "standard_scalar",
            "standard_scaler",
        ),
        (
            "preprocessing:\n  steps:\n  - step: standard_scaler\n    columns: [age]\n    parameters:\n      with_maen: no\n",
            "with_maen",
            "with_mean",
        ),
        ("preprocessing:\n  steps:\n    - {step: drop, columns: [age], parameters: {hard: 1}}\n", "hard", ""),
        (
            "preprocessing:\n  steps:\n  - {step: drop, columns: [age]}\n  - {step: drop, columns: [since, age]}\n",
            "since, age",
            "two steps",
        ),
        ("preprocessing:\n  steps:\n    - {step: drop, columns: [y]}\n", "y]", "no feature"),
        (
            "preprocessing:\n  steps:\n  - columns: [age]\n    step:\n    - impute\n    - quantil_transformer\n",
            "quantil_transformer",
            "quantile_transformer",
        ),
        (
            "preprocessing:\n  steps:\n  - columns: [age]\n    step:\n    - step: pca\n      parameters:\n        n_component: 1\n",
            "n_component",
            "n_components",
        ),
        (
            "preprocessing:\n  steps:\n  - {step: group_impute, columns: [age], by: [y]}\n",
            "by: [y]",
            "no feature",
        ),
        ("evaluation:\n  slices: [id]\n", "slices: [id]", "no feature"),
    ],
)
def test_unknown_names_are_refused_at_load_with_their_line(added, name, hint):
    """They were found only after search and fit."""
    error = refused(TEXT + added)
    assert f"'{name}'" in error.what or hint in {"two steps", "no feature"}
    assert hint in error.what
    line = next(number for number, each in enumerate((TEXT + added).splitlines(), 1) if name in each)
    assert error.where.startswith(f"bank.yaml:{line} ")


def test_the_search_space_of_an_unknown_step_is_refused_with_its_line():
    steps = "preprocessing:\n  steps:\n  - {step: [impute, pca], columns: [age], name: numbers}\n"
    space = "tuning:\n  search_space:\n    steps.numbers.pcaa.n_components: {type: int, low: 1, high: 1}\n"
    head = TEXT[: TEXT.index("validation:")]
    error = refused(head + steps + space)
    assert "did you mean 'steps.numbers.pca'" in error.what
    assert error.where.startswith(f"bank.yaml:{head.count(chr(10)) + 6} ")


@pytest.mark.parametrize(
    ("added", "line", "what"),
    [
        ("evaluation:\n  minimum:\n    roc_auc: 7\n", 3, "no model reaches this bound of 'roc_auc'"),
        ("evaluation:\n  minimum: {log_loss: -0.1}\n", 2, "no model reaches this bound of 'log_loss'"),
        ("validation:\n  expressions:\n    adult: 'age >'\n", 3, "not a SQL expression"),
        ("validation:\n  expressions: {past: 'now() > made'}\n", 2, "not a SQL expression"),
        ("validation:\n  conditional:\n  - {when: 'a = 1', then: '(select 1)'}\n", 3, "not a SQL expression"),
        ("validation:\n  warn:\n  - vals_allowed\n", 3, "'warn' is not acceptable"),
    ],
)
def test_what_cannot_hold_or_be_evaluated_is_refused_at_load(added, line, what):
    """A bound beyond the best value and an expression without an operand were found after the search, by the gate."""
    text = re.sub(r"validation:\n(  .*\n)+", "", TEXT)
    error = refused(text + added)
    assert what in error.what
    assert error.where.startswith(f"bank.yaml:{len(text.splitlines()) + line} ")


@pytest.mark.parametrize("bounds", ["{roc_auc: 1, log_loss: 0}", "{expected_calibration_error: 0.05}"])
def test_a_bound_that_the_best_model_reaches_is_accepted(bounds):
    parse_pipeline(TEXT + f"evaluation: {{minimum: {bounds}}}\n", where="bank.yaml", names=name_check())


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("xgboost_classifier", "xgboost"),
        ("xgboost_regressor", "xgboost"),
        ("XGBClassifier", "xgboost"),
        ("lightgbm_classifier", "lightgbm"),
        ("lightgbm_regressor", "lightgbm"),
        ("LGBMRegressor", "lightgbm"),
        ("LogisticRegression", "logistic_regression"),
        ("HistGradientBoostingClassifier", "hist_gradient_boosting"),
        ("xgboost_clasifier", "xgboost"),
        ("xgbost_classifier", "xgboost"),
    ],
)
def test_a_family_is_found_by_meaning(name, family):
    """`xgboost_classifier` suggested `random_forest_classifier`."""
    assert meant_family(name) == family
    if family != "linear_regression":
        assert f"did you mean '{family}'?" in refused(TEXT.replace("[logistic_regression]", f"[{name}]")).what


@pytest.mark.parametrize(
    ("name", "task", "meant"),
    [
        ("f1_score", "binary_classification", "f1"),
        ("roc_auc_score", "binary_classification", "roc_auc"),
        ("AUC", "binary_classification", "roc_auc"),
        ("logloss", "binary_classification", "log_loss"),
        ("mcc", "binary_classification", "matthews_corrcoef"),
        ("r2_score", "regression", "r2"),
        ("mean_absolute_error", "regression", "mae"),
        ("root_mean_squared_error", "regression", "rmse"),
    ],
)
def test_a_metric_is_found_by_meaning(name, task, meant):
    """`f1_score` suggested `brier_score`."""
    text = f"name: bank\ntask: {task}\ndataset: {{source: a.csv, target: y}}\nevaluation: {{metrics: [{name}]}}\n"
    assert f"did you mean '{meant}'?" in refused(text).what


@pytest.mark.parametrize("name", ["a/b", "a:b", "' '", "..", "'.'", "n" * 257])
def test_a_model_name_that_the_registry_refuses_is_refused_at_load(name):
    error = refused(TEXT.replace("model: {", f"model: {{name: {name}, "))
    assert "regist" in error.expected
    assert error.where.endswith(" (model.name)")


def test_a_yml_file_is_a_pipeline(tmp_path):
    """`churn.yml` was passed over without a word."""
    (tmp_path / "churn.yml").write_text(TEXT)
    assert [spec.name for spec in read_pipelines(tmp_path).specs] == ["bank"]


def test_an_empty_section_says_what_is_expected():
    """An empty `validation:` was "Input should be an object"."""
    text = TEXT.replace("validation:\n", "validation:\nevaluation:\n", 1)
    cut = text[: text.index("evaluation:")] + text[text.index("split:") :]
    error = refused(cut)
    assert error.what == "'validation' is empty"
    assert "min_rows" in error.expected
    assert "remove it" in error.remedy
    assert error.where.startswith("bank.yaml:10 ")


def test_keys_that_begin_with_x_hold_shared_anchors():
    text = "x-ranges: &age {min: 17, max: 120}\n" + TEXT.replace("age: {min: 17, max: 120}", "age: *age")
    assert parse_pipeline(text, where="x") == parse_pipeline(TEXT, where="x")
    with pytest.raises(SpecError, match="unknown key 'xranges'"):
        parse_pipeline(text.replace("x-ranges", "xranges"), where="x")


@pytest.mark.parametrize(
    ("dataset", "scored", "message"),
    [
        ("sqlite:///rows.db\n  query: select * from t", "new.csv", "a query needs a database"),
        ("a.csv", "sqlite:///rows.db", "needs dataset.query"),
        ("sqlite:///rows.db\n  query: select * from t", "sqlite:new.db", "begins with sqlite://"),
    ],
)
def test_scored_rows_that_cannot_be_read_like_the_others_are_refused_at_load(dataset, scored, message):
    text = BANK.format(source=dataset) + f"scoring:\n  source: {scored}\n"
    error = refused(text)
    assert message in error.expected
    assert error.where.endswith(" (scoring.source)")
    assert error.where.startswith(f"bank.yaml:{len(text.splitlines())} ")
    for usable in ("${SCORED}", "sqlite:///new.db" if "query" in dataset else "s3://b/new.csv"):
        parse_pipeline(text.replace(f"  source: {scored}", f"  source: {usable}"), where="x")


@pytest.mark.parametrize(
    ("before", "after", "name", "hint"),
    [
        ("[logistic_regression]}", "[lightgbm], hyperparameters: {n_estimater: 3}}", "n_estimater", "n_estimators"),
        (
            "[logistic_regression]}",
            "[lightgbm], hyperparameters: {xgboost: {max_dept: 3}}}",
            "max_dept",
            "max_depth",
        ),
        ("[logistic_regression]}", "[lightgbm], hyperparameters: {xgbost: {max_depth: 3}}}", "xgbost", "xgboost"),
        ("[logistic_regression]}", "[hist_gradient_boosting], hyperparameters: {quantile: 0.5}}", "quantile", ""),
        ("folds: 2}", "folds: 2, search_space: {c: {type: float, low: 1, high: 2}}}", "c", ""),
        (
            "folds: 2}",
            "folds: 2, search_space: {logistic_regression.max_itr: {type: int, low: 1, high: 2}}}",
            "max_itr",
            "max_iter",
        ),
    ],
)
def test_unknown_hyperparameters_are_refused_at_load(before, after, name, hint):
    """They were found by the search, after the data was read."""
    text = TEXT.replace(before, after)
    error = refused(text)
    assert error.code == "hyperparameter_unknown"
    assert (f"'{name}'; did you mean '{hint}'?" if hint else f"'{name}'") in error.what
    [line] = [number for number, each in enumerate(text.splitlines(), 1) if f"{name}:" in each]
    assert error.where.startswith(f"bank.yaml:{line} ")


def test_of_models_by_import_path_no_hyperparameter_is_refused_at_load():
    text = TEXT.replace("[logistic_regression]}", "['own:Model'], hyperparameters: {anything: 3}}")
    parse_pipeline(text, where="x", names=name_check())


FROZEN = """\
version: 1
columns:
  - {name: id, dtype: string, role: identifier}
  - {name: age, dtype: int64, role: numeric}
  - {name: job, dtype: string, role: categorical}
  - {name: note, dtype: string, role: text}
  - {name: secret, dtype: string, role: categorical}
  - {name: y, dtype: string, role: categorical}
"""


@pytest.mark.parametrize(
    ("before", "after", "name", "hint"),
    [
        ("target: y", "target: yy", "yy", "y"),
        ("unique: [[id]]", "unique: [[id, jobb]]", "jobb", "job"),
        ("test_size: 0.25}", "test_size: 0.25}\nevaluation: {slices: [agee]}", "agee", "age"),
        ("test_size: 0.25}", "test_size: 0.25}\nscoring: {columns: [idd]}", "idd", "id"),
        ("by: stratified,", "by: group, group: jobs,", "jobs", "job"),
        ("    note:", "    notes:", "notes", "note"),
    ],
)
def test_columns_that_the_reviewed_schema_lacks_are_refused_at_load(tmp_path, before, after, name, hint):
    text = TEXT.replace(before, after)
    (tmp_path / "bank.v1.yaml").write_text(FROZEN)
    check = name_check(tmp_path)
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, where="bank.yaml", names=check)
    assert f"'{name}'; did you mean '{hint}'?" in caught.value.what
    line = next(number for number, each in enumerate(text.splitlines(), 1) if name in each)
    assert caught.value.where.startswith(f"bank.yaml:{line} ")
    parse_pipeline(TEXT, where="x", names=check)
    raised = text.replace("  target:", "  schema_version: 2\n  target:")
    parse_pipeline(raised, where="x", names=check)  # a version without a file knows no columns


@pytest.mark.parametrize(
    ("parameters", "parameter", "text"),
    [
        ({"model_name": "xgboost_clasifier"}, "model_name.0", "did you mean 'xgboost'?"),
        ({"hyperparameters": {"D": 1.0}}, "hyperparameters.D", "no candidate takes a hyperparameter 'D'"),
        ({"tuning": {"search_space": {"D": {"type": "int", "low": 1, "high": 2}}}}, "tuning.search_space.D", "'D'"),
        ({"target_column": "yy"}, "target_column", "has no column 'yy'; did you mean 'y'?"),
        ({"data_validation": {"not_null": ["jobb"]}}, "data_validation.not_null.0", "did you mean 'job'?"),
    ],
)
def test_names_in_run_parameters_are_refused_before_data_is_read(platform, parameters, parameter, text):
    platform.pipeline(BANK, "absent.csv")
    (platform.settings.pipelines_dir / "schemas").mkdir()
    (platform.settings.pipelines_dir / "schemas" / "bank.v1.yaml").write_text(FROZEN)
    result = platform.materialize("bank/raw_dataset", parameters=parameters)
    error = SerialisedError.from_text(failure(result))
    assert text in error.what
    assert error.where == f"run config of pipeline bank, {parameter}"


@pytest.mark.parametrize(
    ("flags", "flag", "text"),
    [
        (["--model-name", "XGBClasifier"], "--model-name, 0", "there is no model family 'XGBClasifier'"),
        (["--model-name", "ridge", "--hyperparameters", '{"alfa": 1}'], "--hyperparameters, alfa", "'alpha'"),
        # a classifier takes it, but this family does regressions alone
        (
            ["--model-name", "random_forest_regressor", "--hyperparameters", '{"class_weight": "balanced"}'],
            "--hyperparameters, class_weight",
            "'class_weight'",
        ),
    ],
)
def test_the_shell_refuses_names_before_data_is_read_without_a_task(capsys, flags, flag, text):
    code = main(
        ["train", "--train-data-path", "absent.csv", "--target-column", "y", "--target-output-path", "m", *flags]
    )
    printed = capsys.readouterr().err
    assert code == Exit.REFUSED
    assert text in printed
    assert f"where: {flag}\n" in printed


def test_the_shell_takes_a_name_that_is_right_for_some_task(capsys):
    main(
        [
            "train",
            "--train-data-path",
            "absent.csv",
            "--target-column",
            "y",
            "--target-output-path",
            "m",
            "--model-name",
            "random_forest",
            "--hyperparameters",
            '{"class_weight": "balanced"}',
        ]
    )
    assert "source_not_found" in capsys.readouterr().err


@pytest.fixture
def checked_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "bank.v1.yaml").write_text(FROZEN)
    (tmp_path / "bank.yaml").write_text(
        TEXT.replace("test_size: 0.25}", "test_size: 0.25}\nevaluation: {slices: [agee]}")
    )


@pytest.mark.parametrize("path", [".", "bank.yaml"])
def test_assay_check_compares_columns_with_the_schema_beside_the_file(checked_folder, capsys, path):
    assert main(["check", path]) == Exit.REFUSED
    assert "the frozen schema has no column 'agee'; did you mean 'age'?" in capsys.readouterr().err


def test_the_shell_names_the_line_of_a_file_and_the_flag_that_is_wrong(checked_folder, capsys, tmp_path):
    validate = ["validate", "--pipeline", "bank.yaml", "--report-uri", "r.json"]
    assert main(validate) == Exit.REFUSED
    assert "where: bank.yaml:16 (evaluation.slices.0)" in capsys.readouterr().err
    (tmp_path / "bank.yaml").write_text(TEXT)
    assert main([*validate, "--target-column", "yy"]) == Exit.REFUSED
    assert "where: --target-column\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("duckdb:///data/rows.duckdb", "--assets 'key:\"<pipeline>/*\"'"),
        ("sql://warehouse", "--assets 'key:\"<pipeline>/*\"'"),
        ("ftp://example.org/rows.csv", "copy the files to this machine"),
    ],
)
def test_the_shell_says_what_reads_an_address_that_it_does_not_read(address, remedy, capsys):
    """The remedy was to install the platform, where it was installed."""
    code = main(["validate", "--dataset-path", address, "--target-column", "y", "--report-uri", "r.json"])
    assert code == Exit.REFUSED
    assert remedy in (printed := capsys.readouterr().err)
    assert "install" not in printed


def test_the_shell_names_the_database_of_a_pipeline_file_before_it_reads(tmp_path, capsys):
    path = tmp_path / "rows.yaml"
    path.write_text(
        "name: rows\ntask: regression\ndataset: {source: 'sqlite:///data/rows.db', query: select 1 as y, target: y}\n"
    )
    assert main(["validate", "--pipeline", str(path), "--report-uri", "r.json"]) == Exit.REFUSED
    assert "the commands of the shell read no database" in capsys.readouterr().err


@pytest.mark.parametrize(
    "features",
    [
        "{steps: [{join: {table: names, source: 'sqlite:///names.db', query: select 1 as x, on: [x]}}]}",
        "{tables: [{table: names, source: 'duckdb:///names.db', query: select 1 as x}], steps: [{sql: select * from rows}]}",
    ],
)
def test_the_shell_names_the_database_of_a_joined_source_before_it_reads(features, tmp_path, capsys):
    """It read the rows first, and then found `no adapter for 'sqlite'`."""
    path = tmp_path / "rows.yaml"
    head = "name: rows\ntask: regression\ndataset: {source: rows.csv, target: y}\nfeatures: "
    path.write_text(head + features + "\n")
    assert main(["validate", "--pipeline", str(path), "--report-uri", "r.json"]) == Exit.REFUSED
    assert "the commands of the shell read no database" in (printed := capsys.readouterr().err)
    assert "names.db" in printed
