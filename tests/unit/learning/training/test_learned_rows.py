"""A model records which rows it may have learned from, and is not evaluated on them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assay.errors import LearningError
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.training import train
from assay.results.learned_rows import LearnedRows, together

BEST = "hist_gradient_boosting"
INCREMENTAL = {"training": {"scenario": "incremental"}}


def by_hash(share, *partitions, columns=("signal",)):
    return LearnedRows(partitions=partitions or None, columns=columns, salt="demo", holdout_share=share)


def test_the_manifest_has_the_rule_of_the_split(make_spec, make_split, make_best):
    split = replace(make_split(), learned=by_hash(0.3))
    manifest = train(split, make_best(BEST), make_spec()).manifest
    assert manifest.learned == (by_hash(0.3),)


def test_a_continued_model_has_learned_what_its_base_has(make_spec, make_split, make_best):
    first, second = (replace(make_split(seed=n), learned=LearnedRows(partitions=(f"2024-0{n}",))) for n in (1, 2))
    base = train(first, make_best(BEST), make_spec())
    continued = train(second, make_best(BEST), make_spec(**INCREMENTAL), base)
    assert continued.manifest.learned == (LearnedRows(partitions=("2024-01", "2024-02")),)
    unknown = replace(base, manifest=base.manifest.model_copy(update={"learned": None}))
    assert train(second, make_best(BEST), make_spec(**INCREMENTAL), unknown).manifest.learned is None


def test_rules_that_differ_stand_side_by_side_and_equal_ones_once():
    one, other = by_hash(0.3), by_hash(0.2)
    assert together((one,), (one, other)) == (one, other)
    assert together((by_hash(0.3, "a"),), (by_hash(0.3, "b"),)) == (by_hash(0.3, "a", "b"),)
    assert together((one,), (by_hash(0.3, "b"),)) == (one,)
    assert together((by_hash(0.3, "b"),), (one,)) == (one,)


def test_a_model_that_learned_from_the_holdout_is_not_evaluated(make_spec, make_split, make_best):
    split = make_split()
    model = train(replace(split, learned=by_hash(0.3)), make_best(BEST), make_spec())
    with pytest.raises(LearningError, match="another split") as caught:
        evaluate(model, split, make_spec())
    assert "of 160 holdout rows" in caught.value.found


def test_a_model_that_does_not_say_is_evaluated_and_the_report_says_so(make_spec, make_split, make_best):
    split = make_split()
    model = train(split, make_best(BEST), make_spec())
    silent = replace(model, manifest=model.manifest.model_copy(update={"learned": None}))
    assert evaluate(model, split, make_spec()).training_rows_known
    assert not evaluate(silent, split, make_spec()).training_rows_known


def test_a_fit_does_not_continue_from_a_base_that_learned_from_the_holdout(make_spec, make_split, make_best):
    split = make_split()
    base = train(replace(split, learned=by_hash(0.3)), make_best(BEST), make_spec())
    with pytest.raises(LearningError, match="rows of the holdout"):
        train(split, make_best(BEST), make_spec(**INCREMENTAL), base)


def test_rows_of_other_partitions_and_below_the_share_were_not_learned_from():
    table = pa.table({"signal": np.arange(1_000)})
    partitions = np.repeat(np.array(["a", "b"], dtype=object), 500)
    everywhere, here = by_hash(0.3).of(table, partitions), by_hash(0.3, "a").of(table, partitions)
    assert abs(everywhere.mean() - 0.7) < 0.06
    assert (here == everywhere & (partitions == "a")).all()
    assert LearnedRows(partitions=("a",)).of(table, partitions).tolist() == (partitions == "a").tolist()
    assert by_hash(0.3, columns=("gone",)).of(table, partitions).all()
