import pytest

from assay.specs.json_schema import pipeline_json_schema


@pytest.fixture(scope="session")
def published_schema():
    """The JSON Schema of pipeline files, which takes a second to make."""
    return pipeline_json_schema()
