"""The deployed model is the recipe fitted on all rows; the holdout evaluates the recipe without its rows."""

from dataclasses import replace

import numpy as np
import pytest

from assay.errors import ArtifactNotFoundError, DigestMismatchError
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.final_fit import final_fit
from assay.learning.persistence import EVALUATED_FILE, MODEL_FILE, load_model, save_model
from assay.learning.reproduction import different_predictions, rebuilt
from assay.learning.training import train
from assay.learning.tuning.time_bound import final_fits
from assay.promotion.comparison import predicted
from assay.promotion.model_card import render
from assay.results.learned_rows import LearnedRows
from assay.specs import PipelineSpec


def _shares(model, rows):
    return model.estimator.predict_proba(rows.features)


def _same(one, other, rows):
    return np.array_equal(_shares(one, rows), _shares(other, rows))


def _with_other_labels(split):
    """Return the split with other labels in its holdout."""
    target = split.holdout.target[::-1].reset_index(drop=True)
    return replace(split, holdout=replace(split.holdout, target=target))


@pytest.fixture
def spec(make_spec):
    return make_spec()


@pytest.fixture
def fit(make_split, make_best, spec):
    """Return a function that makes both fits of a split."""

    def fit(split=None, base=None, spec=spec, *, refits=True, family="lightgbm"):
        trees = {} if family == "logistic_regression" else {"n_estimators": 4}
        return final_fit(split or make_split(), make_best(family, **trees), spec, base, refits=refits)

    return fit


def test_the_deployed_model_has_learned_from_the_holdout_and_the_evaluated_one_has_not(fit, make_split):
    split = make_split()
    one, other = fit(split), fit(_with_other_labels(split))
    assert not _same(one, other, split.holdout)
    assert _same(one.evaluated, other.evaluated, split.holdout)


def test_the_deployed_model_is_the_recipe_fitted_on_all_rows(fit, make_split, make_best, spec):
    split = make_split()
    whole = train(replace(split, train=split.all_rows), make_best("lightgbm", n_estimators=4), spec)
    model = fit(split)
    assert _same(model, whole, split.holdout)
    assert model.manifest.refit.rows == 400
    assert (model.manifest.train_rows, model.manifest.holdout_rows) == (240, 160)


def test_without_a_refit_the_evaluated_model_is_deployed(fit, make_split, make_best, spec):
    split = make_split()
    model = fit(split, refits=False)
    assert _same(model, train(split, make_best("lightgbm", n_estimators=4), spec), split.holdout)
    assert model.evaluated is model
    assert "refit" not in model.manifest.model_dump(mode="json")


def test_each_fit_says_which_rows_it_may_have_learned_from(fit, make_split):
    rule = LearnedRows(columns=("signal",), salt="demo", holdout_share=0.5)
    split = replace(make_split(), learned=rule)
    facts, rows = fit(split).manifest, (split.holdout_table, split.holdout_partitions)
    assert 0 < facts.may_have_learned(*rows, time_partitions=False).sum() < 160
    assert facts.deployed_may_have_learned(*rows, time_partitions=False).all()
    later = np.full(160, "later", dtype=object)
    in_time = fit(replace(split, learned=replace_partitions(rule, ("a",)), data_digests={"a": "", "b": ""})).manifest
    assert in_time.refit.learned == (LearnedRows(partitions=("a", "b")),)
    assert not in_time.deployed_may_have_learned(split.holdout_table, later, time_partitions=True).any()


def replace_partitions(rule, partitions):
    return rule.model_copy(update={"partitions": partitions})


@pytest.mark.parametrize(
    ("split", "refit", "refits"),
    [
        ({"by": "random"}, "auto", True),
        ({"by": "random"}, "none", False),
        ({"by": "time", "train_partitions": 2}, "auto", False),
        ({"by": "time", "train_partitions": 2}, "all", True),
    ],
)
def test_a_pipeline_deploys_a_model_of_all_rows_unless_split_by_time(split, refit, refits, make_spec):
    partitions = {"partitions": {"by": "month", "column": "t", "start": "2024-01"}}
    spec: PipelineSpec = make_spec(split=split, training={"refit": refit}, dataset=partitions)
    assert spec.refits is refits
    assert final_fits(spec) == pytest.approx({"random": 2.25, "time": 2.5}[split["by"]] if refits else 1.0)


def test_a_continued_evaluated_fit_stays_ignorant_of_the_bases_holdout(fit, make_split, make_spec):
    incremental, first = make_spec(training={"scenario": "incremental"}), make_split(seed=1)
    bases = [fit(split) for split in (first, _with_other_labels(first))]
    one, other = (fit(make_split(seed=2), base=base, spec=incremental) for base in bases)
    assert one.manifest.scenario_applied == "incremental"
    rows = make_split(seed=3).holdout
    assert _same(one.evaluated, other.evaluated, rows)
    assert not _same(one, other, rows)
    assert one.manifest.refit.learned == (LearnedRows(partitions=("",)),)


def test_both_fits_are_stored_and_the_evaluated_one_is_loaded_on_demand(fit, make_split, tmp_path):
    model, rows = fit(), make_split().holdout
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert _same(loaded, model, rows)
    assert _same(loaded.evaluated, model.evaluated, rows)
    with pytest.raises(ArtifactNotFoundError, match="loaded for predictions"):
        _ = loaded.for_predictions().evaluated


def test_a_damaged_or_exchanged_evaluated_fit_is_refused(fit, tmp_path):
    save_model(fit(), tmp_path)
    (tmp_path / EVALUATED_FILE).write_bytes((tmp_path / MODEL_FILE).read_bytes())
    with pytest.raises(DigestMismatchError, match="not the one that its manifest names"):
        load_model(tmp_path)
    (tmp_path / EVALUATED_FILE).unlink()
    with pytest.raises(ArtifactNotFoundError):
        load_model(tmp_path)


def test_a_model_that_was_not_fitted_again_has_no_second_file(fit, tmp_path):
    save_model(fit(refits=False), tmp_path)
    assert not (tmp_path / EVALUATED_FILE).exists()


def test_report_and_card_have_the_recipes_figures_and_say_so(fit, make_split, spec):
    split = make_split()
    model = fit(split)
    report = evaluate(model, split, spec)
    assert report.metrics == evaluate(fit(split, refits=False), split, spec).metrics
    assert "fitted on the 240 training rows" in report.of_recipe
    card = render(model, report, None, spec)
    assert report.of_recipe in card
    assert "deployed model is fitted on all 400 rows" in card
    alone = evaluate(fit(split, refits=False), split, spec)
    assert alone.of_recipe == ""


def test_a_comparison_takes_the_deployed_model_only_where_the_rows_are_new_to_it(fit, make_split, spec):
    split, model = make_split(), fit(family="logistic_regression")

    def compared(partition):
        rows = replace(split, holdout_partitions=np.full(160, partition, dtype=object))
        return predicted(model, rows, spec).probabilities

    np.testing.assert_array_equal(compared(""), _shares(model.evaluated, split.holdout))
    np.testing.assert_array_equal(compared("later"), _shares(model, split.holdout))


def test_a_rebuild_makes_the_fits_that_were_recorded_and_compares_both(fit, make_split, spec):
    split = make_split()
    for model in (fit(split), fit(split, refits=False)):
        again = rebuilt(model, split, spec, None)
        assert again.manifest == model.manifest
        assert different_predictions(model, again, split.holdout.features, 1) == 0
    model, other = fit(split), fit(make_split(seed=5))
    exchanged = replace(model, evaluated_fit=lambda: other.evaluated.estimator)
    assert different_predictions(model, exchanged, split.holdout.features, 1) > 0
