import numpy as np
import pandas as pd

from assay.learning.preprocessing.transformers import RawNumbers


def test_numbers_pass_as_they_are_with_nan():
    frame = pd.DataFrame({"a": [1.5, np.nan]})
    np.testing.assert_array_equal(RawNumbers().fit_transform(frame), [[1.5], [np.nan]])


def test_a_column_without_any_value_at_fit_is_constant_ever_after():
    fitted = RawNumbers().fit(pd.DataFrame({"a": [1.0], "b": [np.nan]}))
    np.testing.assert_array_equal(fitted.transform(pd.DataFrame({"a": [np.nan], "b": [5.0]})), [[np.nan, 0.0]])
    assert fitted.get_feature_names_out().tolist() == ["a", "b"]


def test_the_given_frame_is_not_changed():
    frame = pd.DataFrame({"b": [np.nan, np.nan]})
    RawNumbers().fit_transform(frame)
    assert frame["b"].isna().all()
