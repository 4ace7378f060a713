"""The same classes of input in a file of `scoring.source`, as the asset reads and predicts it.

The asset reads strictly, under the reviewed schema: what it refuses beside the others is listed here.
"""

import pandas as pd
import pytest
from prediction_cases import ANSWERS, Kept, Refused, model_of, spec_of, user_rows

from assay.data.source_rows import source_rows
from assay.errors import AssayError
from assay.features.feature_set import feature_set_of
from assay.features.prepared import PreparedSteps
from assay.prediction.predictor import Predictor
from assay.prediction.scoring import score
from assay.reading.source_files import read_rows
from assay.shell.storage import NamedFile
from assay.specs.operations import ScoringSpec

STRICT = {"times with a zone", "zero and one for booleans"}
"""Other types than the frozen ones, which a model takes and the reviewed schema does not."""
IN_FILES = [case for case in ANSWERS if case.in_files]


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def trained(request, tmp_path_factory):
    """A pipeline, its model, and the frozen schemas of the source and of the feature set."""
    import pyarrow as pa

    spec = spec_of(steps=request.param).model_copy(update={"scoring": ScoringSpec(columns=("size",))})
    model, _ = model_of(spec)
    source = Kept()
    source_rows(pa.Table.from_pandas(user_rows(), preserve_index=False), spec.source_dataset, source).partition(
        None, where="test"
    )
    return spec, model, source, Kept(model.manifest.intake.feature_set)


def predicted(trained, rows, folder):
    spec, model, source, made = trained
    path = folder / "new.csv"
    rows.to_csv(path, index=False)
    dataset = spec.source_dataset
    table = read_rows([NamedFile(path, str(path))], dataset, source, labelled=False, where="new").partition(
        None, where="new"
    )
    if spec.features is not None:
        table = feature_set_of(
            table, spec, made, labelled=False, where="new", prepared=PreparedSteps(spec.dataset.limits, {})
        ).rows
    return score(model, table.table, table.schema, spec, where="new").dataset.table.to_pandas()


@pytest.mark.parametrize("case", IN_FILES, ids=lambda case: case.name)
def test_rows_of_a_user(trained, case, tmp_path):
    rows = user_rows()
    given = case.change(rows)
    if isinstance(case.answer, Refused) or case.name in STRICT:
        with pytest.raises(AssayError) as refused:
            predicted(trained, given, tmp_path)
        assert not isinstance(case.answer, Refused) or f"'{case.answer.column}'" in str(refused.value)
        return
    found = predicted(trained, given, tmp_path).drop(columns="size")
    expected = case.answer.rows(Predictor(trained[1]).predict(rows))
    if expected is not None:
        pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_dtype=False)
