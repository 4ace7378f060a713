"""The training contract: dtypes, roles, derivations and classes of the rows that were learned from hold for all rows."""

import random
from pathlib import Path

import pytest
from small_platform import failure, opened, write_csv

from assay.data.dataset import Dataset
from assay.data.frozen_schema import reviewed_schema
from assay.promotion.champion import ChampionRecord
from assay.shell.main import main
from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in

SHOP = """\
name: shop
task: binary_classification
dataset:
  source: data/shop.csv
  target: late
  derive: {heavy: {column: weight, at_least: 5}}
  # more
split: {by: stratified, test_size: 0.25}
model: {candidates: [random_forest], hyperparameters: {n_estimators: 50}}
tuning: {enabled: false}
validation: {sentinel: {trusted: [code], max_duplicate_share: 1}}
scoring: {source: data/new.csv}
"""
MONTHLY_SHOP = """\
name: shop
task: binary_classification
dataset:
  source: "{partition}.csv"
  target: late
  columns: {code: {role: categorical}, day: {role: ignored}}
  partitions: {by: month, start: "2024-01"}
split: {by: time, train_partitions: 1}
model: {candidates: [random_forest], hyperparameters: {n_estimators: 50}}
tuning: {enabled: false}
"""
ALL = tuple(f"shop/{name}" for name in (*names_in(Phase.INGESTION), *names_in(Phase.LEARNING)))
CODES = {"7.00": "no", "8.00": "yes", "10": "no", "1A": "yes"}


def shop_rows(number=160, codes=tuple(CODES), seed=1):
    draw = random.Random(seed)
    made = []
    for n in range(number):
        code = codes[n % len(codes)]
        weight = draw.randint(1, 9) + draw.choice([0, 0.5])
        made.append({"key": f"K{n:04d}", "code": code, "weight": weight, "late": CODES[code]})
    return made


@pytest.fixture
def shop(platform):
    """A platform with the pipeline `shop` and its data."""
    add_shop(platform)
    return platform


@pytest.fixture
def trained(templates, fresh, tmp_path):
    """A platform on which `shop` has a champion; it was trained once for all tests."""

    def make(folder):
        with fresh(folder) as prepared:
            add_shop(prepared)
            result = prepared.materialize(*ALL)
            assert result.success, failure(result)

    templates.copied("trained_shop", tmp_path, make)
    with opened(tmp_path) as prepared:
        yield prepared


def add_shop(platform):
    write_csv(Path("data/shop.csv"), shop_rows())
    pipeline(platform)


def pipeline(platform, more="", text=SHOP):
    (platform.settings.pipelines_dir / "shop.yaml").write_text(text.replace("# more", more))


def champion(platform):
    return platform.artifacts.load(("shop", "champion_model"), None, ChampionRecord)


def predictions(platform):
    result = platform.materialize("shop/batch_predictions")
    assert result.success, failure(result)
    return platform.artifacts.load(("shop", "batch_predictions"), None, Dataset).table


def test_scored_rows_are_read_under_the_frozen_schema(trained):
    """Codes such as 7.00 were text in training; a file of 7.00 and 8.00 alone was read as numbers: 48 of 50 wrong."""
    scored = [{**row, "weight": int(row["weight"])} for row in shop_rows(20, codes=("7.00", "8.00"))]
    write_csv(Path("data/new.csv"), [{name: row[name] for name in ("key", "code", "weight")} for row in scored])
    found = predictions(trained)
    assert found["prediction"].to_pylist() == [row["late"] for row in scored]
    # below 50 rows no text is inferred to be an identifier: the frozen role keeps the key
    assert found["key"].to_pylist() == [row["key"] for row in scored]


def test_scored_rows_follow_the_champions_schema_version_after_it_is_raised(trained):
    write_csv(Path("data/new.csv"), shop_rows(20, codes=("7.00", "8.00")))
    pipeline(trained, more="schema_version: 2")
    assert set(predictions(trained)["prediction"].to_pylist()) == {"no", "yes"}


def test_scored_rows_without_the_schema_of_the_champion_are_refused(trained):
    write_csv(Path("data/new.csv"), shop_rows(20))
    for copy in [path for path in Path.cwd().rglob("*.yaml") if "schemas" in str(path)]:  # the reviewed, the store's
        copy.unlink()
    result = trained.materialize("shop/batch_predictions")
    assert not result.success
    assert "no frozen schema of version 1" in failure(result)


def test_scored_rows_of_another_dtype_are_refused(trained):
    Path("data/new.jsonl").write_text('{"key": "a", "code": 7.0, "weight": 1.5}\n')
    pipeline(trained, text=SHOP.replace("new.csv", "new.jsonl"))
    result = trained.materialize("shop/batch_predictions")
    assert not result.success
    assert "'code' changed its dtype" in failure(result)


def relabelled():
    write_csv(Path("data/shop.csv"), [{**row, "late": row["late"] + "."} for row in shop_rows()])


@pytest.mark.parametrize("version", [1, 2])
def test_another_spelling_of_the_classes_is_refused_until_the_schema_version_is_raised(trained, version):
    """Labels with a trailing dot passed the gate, and the new model replaced the champion without a comparison."""
    before = champion(trained)
    relabelled()
    pipeline(trained, more=f"schema_version: {version}")
    result = trained.materialize(*ALL)
    assert result.success == (version == 2)
    if version == 1:
        text = failure(result)
        assert "'no.' in 80 rows, 'yes.' in 80 rows" in text
        assert "'no', 'yes', as frozen" in text
        assert "raise dataset.schema_version" in text
        assert champion(trained) == before


@pytest.mark.parametrize("name", ["bank_marketing", "flight_delays.features"])
def test_the_shipped_schema_files_freeze_the_classes(name):
    """Labels with a trailing dot passed `raw_dataset` of the shipped pipelines."""
    frozen = reviewed_schema(Path(__file__).parents[2] / "pipelines" / "schemas", name, 1)
    assert frozen is not None
    assert len(frozen.classes or ()) == 2


def test_other_classes_under_a_schema_file_without_classes_do_not_replace_the_champion(trained):
    (schema,) = Path.cwd().rglob("shop.v1.yaml")
    schema.write_text("".join(line for line in schema.read_text().splitlines(True) if not line.startswith("classes")))
    relabelled()
    result = trained.materialize(*ALL)
    assert result.success, failure(result)
    decision = champion(trained).decision
    assert decision.verdict == "kept_champion"
    assert "no., yes. instead of its no, yes" in decision.reason


def roles(platform):
    dataset = platform.artifacts.load(("shop", "raw_dataset"), None, Dataset)
    return {column.name: (str(column.role), column.reason) for column in dataset.schema.columns}


def test_a_column_that_is_no_longer_ignored_is_used(shop):
    """`role: ignored` was frozen as if inferred: removed from the file, the column stayed ignored."""
    pipeline(shop, more="columns: {code: {role: ignored}, weight: {role: categorical}}")
    assert shop.materialize("shop/raw_dataset").success
    assert (roles(shop)["code"], roles(shop)["weight"]) == (("ignored", "declared"), ("categorical", "declared"))
    pipeline(shop)
    result = shop.materialize("shop/raw_dataset")
    assert (roles(shop)["code"], roles(shop)["weight"]) == (("categorical", "inferred"), ("numeric", "inferred"))
    (made,) = result.asset_materializations_for_node("shop__raw_dataset")
    assert "code: categorical as inferred from the first data, no longer ignored" in made.metadata["note/roles"].value


def test_a_role_that_only_the_schema_file_states_is_said(trained):
    (schema,) = Path.cwd().rglob("shop.v1.yaml")
    inferred = "name: code, dtype: string, role: categorical"
    assert inferred in schema.read_text()
    schema.write_text(schema.read_text().replace(inferred, "name: code, dtype: string, role: ignored"))
    result = trained.materialize("shop/raw_dataset")
    assert roles(trained)["code"] == ("ignored", "frozen")
    (made,) = result.asset_materializations_for_node("shop__raw_dataset")
    assert "code: ignored by the frozen schema alone" in made.metadata["note/roles"].value


def test_all_partitions_of_one_command_keep_the_first_ones_schema(tmp_path, monkeypatch, capsys):
    """The shell read each partition anew: codes were text in one month and numbers in the next."""
    monkeypatch.chdir(tmp_path)
    for month, codes in (("2024-01", tuple(CODES)), ("2024-02", ("7.00", "8.00", "10"))):
        write_csv(tmp_path / f"{month}.csv", [{"day": f"{month}-01", **row} for row in shop_rows(80, codes=codes)])
    (tmp_path / "shop.yaml").write_text(MONTHLY_SHOP)
    flags = ["--pipeline", "shop.yaml", "--partition", "2024-01", "--partition", "2024-02"]
    code = main(["train", *flags, "--target-output-path", "out"])
    assert code == 0, capsys.readouterr().err
    assert '"accuracy": 1.0' in next((tmp_path / "out").rglob("metrics.json")).read_text()
