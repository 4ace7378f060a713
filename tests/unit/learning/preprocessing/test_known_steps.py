import inspect

import pytest

from assay.importing import import_object
from assay.learning.preprocessing.known_steps import KNOWN_STEPS


@pytest.mark.parametrize("name", KNOWN_STEPS)
def test_the_declared_parameters_are_those_of_the_class(name):
    """A pipeline file is checked by the declared names; a new version of a library may add some."""
    cls = import_object(KNOWN_STEPS[name].path, where="")
    assert set(KNOWN_STEPS[name].parameters) == set(inspect.signature(cls).parameters)
