import importlib
import subprocess
import sys

import pytest

from assay.moved_modules import MOVED_MODULES, current_name

# what version 0.1 wrote into stored models
STORED = {
    "assay.estimators.xgboost_labels": "LabelledXGBClassifier",
    "assay.transformers.calendar_features": "CalendarFeatures",
    "assay.transformers.raw_numbers": "RawNumbers",
    "assay.transformers.text_features": "TextFeatures",
}


@pytest.mark.parametrize(("module", "name"), STORED.items())
def test_a_stored_path_names_the_present_class(module, name):
    found = getattr(importlib.import_module(module), name)
    assert f"{found.__module__}.{name}" == current_name(f"{module}.{name}") == f"{MOVED_MODULES[module]}.{name}"


def test_a_stored_path_is_importable_in_a_process_that_imports_nothing_else():
    code = "from assay.transformers.raw_numbers import RawNumbers; print(RawNumbers.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "assay.learning.preprocessing.transformers"


def test_other_modules_are_not_found():
    assert current_name("assay.transformers.other.Thing") == "assay.transformers.other.Thing"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("assay.transformers.other")
