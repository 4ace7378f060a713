import pytest

from assay.errors import SpecError, UnknownModelError
from assay.importing import import_object, is_import_path


def test_an_import_path_names_a_module_and_an_attribute():
    assert import_object("collections:OrderedDict.fromkeys", where="x")("ab") == {"a": None, "b": None}


@pytest.mark.parametrize(
    "path", ["collections.OrderedDict", "collections:", ":x", "a b:c", "../x:y", "collections:x()"]
)
def test_anything_else_is_not_imported(path):
    assert not is_import_path(path)
    with pytest.raises(SpecError, match="not an import path"):
        import_object(path, where="model.candidates")


def test_a_missing_module_is_reported_with_the_kind_of_error_asked_for():
    with pytest.raises(UnknownModelError, match="cannot be imported") as caught:
        import_object("no_such_module:X", where="model.candidates", error=UnknownModelError)
    assert caught.value.where == "model.candidates"


def test_a_missing_attribute_is_reported_with_the_nearest_name():
    with pytest.raises(SpecError, match="did you mean 'OrderedDict'"):
        import_object("collections:OrderedDictt", where="x")
