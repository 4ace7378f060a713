"""`assay plan`: what it says has to run is what changes, and what it leaves out is what a full retraining makes again."""

import random
import uuid

import pytest
from small_platform import MONTHLY, bank_rows, failure, monthly_rows, write_csv

from assay.specs.base import Spec, digest_of
from assay.specs.loading import parse_pipeline
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import materializations, source_rows
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.partitions import partitions_of, upstream_keys, window_mapping
from ml_assets.planning import Planner
from ml_assets.stages import STAGES, names_in
from resources.artifacts.store import ArtifactStore, Attempt
from resources.store.local import LocalStore

RAW, GATE, SEARCH, MODEL, REPORT, CHAMPION = names_in(Phase.INGESTION, Phase.LEARNING)
LEARNING = {SEARCH, MODEL, REPORT, CHAMPION}


def planned(platform, name="bank", partition=None):
    deployment = Deployment(platform.settings)
    spec = deployment.pipeline(name)
    return Planner(spec, deployment.artifacts, source_rows(deployment, spec)).plan(partition)


def runs(plan):
    return {each.asset for each in plan if each.action == "run"}


def edit(platform, old, new, name="bank"):
    path = platform.settings.pipelines_dir / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_everything_runs_at_first(bank):
    assert runs(planned(bank)) == {RAW, GATE} | LEARNING


def test_nothing_runs_after_everything_ran(trained_bank):
    assert {(each.action, each.changes_value) for each in planned(trained_bank)} == {("unchanged", False)}


EDITS = {
    "comment": ("tuning:", "# a remark\ntuning:", set()),
    "other spelling": ("min_rows: 50", "min_rows: 0x32", set()),
    "trials": ("n_trials: 3", "n_trials: 4", LEARNING),
    "model": ("[logistic_regression]", "[logistic_regression, random_forest]", LEARNING),
    "minimum": ("name: bank\n", "name: bank\nevaluation: {minimum: {roc_auc: 0.01}}\n", LEARNING),
    "promotion": ("name: bank\n", "name: bank\npromotion: {confidence: 0.8}\n", {CHAMPION}),
    "a rule's bound": ("min_rows: 50", "min_rows: 40", {GATE}),
    "a reviewed column": ("min_rows: 50", "min_rows: 50\n  sentinel: {trusted: [age]}", {GATE, REPORT, CHAMPION}),
    "a column that a slice names": ("name: bank\n", "name: bank\nevaluation: {slices: [loan]}\n", {GATE} | LEARNING),
    "rows that are dropped": ("min_rows: 50", "min_rows: 50\n  drop_null_rows: true", {GATE} | LEARNING),
    "role of a column": ("note: {role: text}", "note: {role: ignored}", {RAW, GATE} | LEARNING),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_makes_what_depends_on_it_run(trained_bank, name):
    old, new, expected = EDITS[name]
    edit(trained_bank, old, new)
    assert runs(planned(trained_bank)) == expected


def test_the_reason_names_the_changed_part(trained_bank):
    edit(trained_bank, "n_trials: 3", "n_trials: 4")
    reasons = {each.asset: each.reason for each in planned(trained_bank)}
    assert reasons[SEARCH] == "changed: tuning"
    assert reasons[MODEL] == f"{SEARCH} may change"
    assert reasons[GATE] == "version 1 is of the same code and inputs"


def test_the_same_rows_in_a_new_file_change_nothing_and_other_rows_everything(trained_bank):
    write_csv(trained_bank.settings.pipelines_dir.parent / "data/bank.csv", bank_rows())
    assert runs(planned(trained_bank)) == set()
    write_csv(trained_bank.settings.pipelines_dir.parent / "data/bank.csv", bank_rows(seed=8))
    plan = planned(trained_bank)
    assert (runs(plan), plan[0].reason) == ({RAW, GATE} | LEARNING, "the source has other rows")


def test_rows_that_were_validated_alone_make_the_model_run(trained_bank):
    write_csv(trained_bank.settings.pipelines_dir.parent / "data/bank.csv", bank_rows(seed=8))
    assert trained_bank.materialize(f"bank/{RAW}", f"bank/{GATE}").success
    plan = planned(trained_bank)
    assert runs(plan) == LEARNING
    assert {each.reason for each in plan if each.asset == SEARCH} == {f"it was not made of the newest {GATE}"}


def test_refused_rows_block_what_reads_them_until_a_rule_changes(trained_bank):
    edit(trained_bank, "min_rows: 50", "min_rows: 5000")
    assert runs(planned(trained_bank)) == {GATE}
    assert not trained_bank.materialize("bank/validated_dataset").success
    assert {each.asset for each in planned(trained_bank) if each.action == "blocked"} == {GATE} | LEARNING
    edit(trained_bank, "min_rows: 5000", "min_rows: 50")
    assert runs(planned(trained_bank)) == {GATE} | LEARNING


def test_a_model_class_of_ones_own_counts_with_its_source(bank, tmp_path):
    settings = bank.settings.model_copy(update={"extensions_dir": tmp_path})
    module, text = tmp_path / "own_family_of_plan.py", "from sklearn.linear_model import LogisticRegression as Own\n"
    module.write_text(text)
    edit(bank, "[logistic_regression]", "['own_family_of_plan:Own']")

    def versions():
        spec = Deployment(settings).pipeline("bank")
        return {stage.name: stage.code_version(spec) for stage in STAGES}

    before = versions()
    module.write_text(text + "weight = 2\n")
    changed = {name for name, version in versions().items() if version != before[name]}
    assert changed >= {SEARCH, MODEL, CHAMPION}
    assert not changed & {RAW, GATE}


def test_a_window_is_planned_with_its_partitions(learned_months):
    assert {each.action for each in planned(learned_months, "monthly", "2021-03")} == {"unchanged"}
    rows = monthly_rows()
    rows[50]["z"] = 0.123  # of January 2021, which trains the model of March
    write_csv(learned_months.settings.pipelines_dir.parent / "data/monthly.csv", rows)
    made = {
        (each.asset, each.partition) for each in planned(learned_months, "monthly", "2021-03") if each.action == "run"
    }
    assert made == {(RAW, "2021-01"), (GATE, "2021-01")} | {(name, "2021-03") for name in LEARNING}
    assert {each.asset for each in planned(learned_months, "monthly", "2021-04")} == {RAW, GATE} | LEARNING


def test_the_commands_run_each_partition_once_and_the_models_last(gated_months):
    spec = Deployment(gated_months.settings).pipeline("monthly")
    commands = list(materializations(spec, planned(gated_months, "monthly", "2021-02")))
    assert [each[-1] for each in commands] == ["2021-02"]
    assert commands[0][commands[0].index("--assets") + 1].split(",") == [
        f"monthly/{name}" for name in names_in(Phase.LEARNING)
    ]


def executed(platform, plan):
    """Materialise what a plan runs; return the assets that have a new version."""
    artifacts = platform.artifacts
    numbers = {
        name: artifacts.log.newest_number(("bank", name), None) for name in names_in(Phase.INGESTION, Phase.LEARNING)
    }
    if runs(plan):
        result = platform.materialize(*[f"bank/{name}" for name in runs(plan)])
        assert result.success, failure(result)
    return {name for name, number in numbers.items() if artifacts.log.newest_number(("bank", name), None) > number}


def test_partitions_that_were_never_made_are_run_before_the_model_of_the_last_one(monthly):
    spec = Deployment(monthly.settings).pipeline("monthly")
    commands = list(materializations(spec, planned(monthly, "monthly", "2021-02")))
    assert [each[-1] for each in commands] == ["2020-12", "2021-01", "2021-02"]
    rows = [f"monthly/{name}" for name in (RAW, GATE)]
    model = [f"monthly/{name}" for name in names_in(Phase.LEARNING)]
    selected = [each[each.index("--assets") + 1].split(",") for each in commands]
    assert selected == [rows, rows, rows + model]


@pytest.mark.full
def test_what_a_plan_leaves_out_is_what_a_full_retraining_makes_again(trained_bank):
    edits = [("min_rows: 50", "min_rows: 40"), ("n_trials: 3", "n_trials: 2"), ("test_size: 0.25", "test_size: 0.3")]
    for old, new in edits:
        edit(trained_bank, old, new)
    plan = planned(trained_bank)
    assert executed(trained_bank, plan) == runs(plan) == {GATE} | LEARNING
    assert runs(planned(trained_bank)) == set()
    kept = {name: trained_bank.artifacts.log.newest(("bank", name), None).data_version for name in (RAW, GATE, SEARCH)}
    assert trained_bank.materialize("bank/*").success
    again = {name: trained_bank.artifacts.log.newest(("bank", name), None).data_version for name in (RAW, GATE, SEARCH)}
    assert again == kept


CHANGES = {
    "split": ["split: {by: time, train_partitions: 1}", "split: {by: time, train_partitions: 2}"],
    "tuning": ["tuning: {n_trials: 2}", "tuning: {n_trials: 3}", "tuning: {enabled: false}"],
    "validation": ["validation: {min_rows: 5}", "validation: {min_rows: 9}", "validation: {drop_null_rows: true}"],
    "promotion": ["promotion: {confidence: 0.9}", "promotion: {confidence: 0.8}"],
    "model": ["model: {candidates: [ridge]}", "model: {candidates: [random_forest]}"],
    "evaluation": ["evaluation: {slices: []}", "evaluation: {slices: [z]}"],
    "training": ["training: {seed: 1}", "training: {seed: 2}"],
    "remark": ["# one", "# two", "# three"],
}
MADE_OF = {
    RAW: ("dataset",),
    GATE: ("dataset", "task", "validation", "evaluation"),
    SEARCH: ("dataset", "split", "model", "tuning", "training", "evaluation"),
    MODEL: ("dataset", "split", "model", "training"),
    REPORT: ("dataset", "split", "evaluation"),
    CHAMPION: ("dataset", "split", "model", "evaluation", "promotion"),
}
"""What each value is made of, beside what it reads: written down apart from the stages. A slice's column is required by
the gate."""
KEYS = ["2020-12", "2021-01", "2021-02", "2021-03"]


@pytest.mark.parametrize("edits", [20, pytest.param(100, marks=pytest.mark.full)])
def test_the_set_that_is_planned_is_the_set_that_runs_over_random_edits(tmp_path, edits):
    draw, world, sizes = random.Random(11), World(ArtifactStore(LocalStore(tmp_path))), set()
    for _ in range(edits):
        world.change(draw)
        plan = Planner(world.spec, world.artifacts, lambda key: digest_of(Made(text=world.source[key]))).plan(KEYS[-1])
        predicted = {(each.asset, each.partition) for each in plan if each.action == "run"}
        assert predicted == world.make_what_is_out_of_date()
        sizes.add(len(predicted))
    assert {0, 4, 6} <= sizes


class Made(Spec):
    """A stored value: what it is made of, as text."""

    text: str


class World:
    """A store whose values are what they are made of; it makes what is out of date by its own account."""

    def __init__(self, artifacts):
        self.artifacts, self.source, self.recipes = artifacts, dict.fromkeys(KEYS, "first rows"), {}
        self.lines = {part: lines[0] for part, lines in CHANGES.items()}

    def change(self, draw):
        part = draw.choice([*CHANGES, "source"])
        if part == "source":
            self.source[draw.choice(KEYS)] = draw.choice(["first rows", "other rows"])
        else:
            self.lines[part] = draw.choice(CHANGES[part])

    @property
    def spec(self):
        head = MONTHLY.format(source="x.csv").partition("validation:")[0]
        return parse_pipeline(head + "\n".join(self.lines.values()), where="x")

    def reads(self, asset, key):
        """Yield the assets and partitions that an asset's partition reads."""
        if asset == GATE:
            yield RAW, key
        if asset in LEARNING:
            keys = upstream_keys(window_mapping(self.spec), partitions_of(self.spec), key)
            yield from ((GATE, each) for each in keys)
            yield from (
                (each, key) for each in (SEARCH, MODEL, REPORT)[: (SEARCH, MODEL, REPORT, CHAMPION).index(asset)]
            )

    def value(self, asset, key):
        """What a value is made of; the gate's rows follow from the raw rows and from those that it drops."""
        if asset == RAW:
            return self.source[key]
        own = ["drop" in self.lines["validation"]] if asset == GATE else self.own(asset)
        return str([own, [self.value(*each) for each in self.reads(asset, key)]])

    def own(self, asset):
        return [self.lines.get(part, "") for part in MADE_OF[asset]]

    def make_what_is_out_of_date(self):
        window = upstream_keys(window_mapping(self.spec), partitions_of(self.spec), KEYS[-1])
        wanted = [(asset, key) for asset in (RAW, GATE) for key in window]
        wanted += [(asset, KEYS[-1]) for asset in (SEARCH, MODEL, REPORT, CHAMPION)]
        made = set()
        for asset, key in wanted:
            recipe = (self.own(asset), self.value(asset, key))
            if self.recipes.get((asset, key)) != recipe:
                self.recipes[asset, key] = recipe
                self.publish(asset, key)
                made.add((asset, key))
        return made

    def publish(self, asset, key):
        stage = next(each for each in STAGES if each.name == asset)
        newest = [self.artifacts.log.newest(("monthly", name), each) for name, each in self.reads(asset, key)]
        inputs = {f"{'/'.join(each.asset)}@{each.partition}": f"{each.number}:{each.data_version}" for each in newest}
        attempt = Attempt(uuid.uuid4().hex, uuid.uuid4().hex, stage.code_version(self.spec), inputs)
        self.artifacts.publish(("monthly", asset), key, Made(text=self.value(asset, key)), attempt)
