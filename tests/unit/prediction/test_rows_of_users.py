"""Every class of input, against the predictor itself; other ways to predict run the same table."""

import pandas as pd
import pytest
from prediction_cases import ANSWERS, Refused, fitted, user_rows

from assay.errors import AssayError
from assay.prediction.predictor import Predictor


@pytest.fixture(scope="module", params=[False, True], ids=["rows", "steps"])
def predictor(request):
    return Predictor(fitted(steps=request.param))


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_rows_of_a_user(predictor, case):
    rows = user_rows()
    given = case.change(rows)
    if isinstance(case.answer, Refused):
        with pytest.raises(AssayError) as refused:
            predictor.predict(given)
        text = str(refused.value)
        assert f"'{case.answer.column}'" in text
        assert case.answer.row is None or f"row {case.answer.row}" in text
        return
    found, expected = predictor.predict(given), case.answer.rows(predictor.predict(rows))
    if expected is None:
        assert len(found) == len(rows)
        assert found.notna().all(axis=None)
        return
    pd.testing.assert_frame_equal(found, expected, check_index_type=False)
