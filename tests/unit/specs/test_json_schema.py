"""The published JSON Schema."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]


def test_the_published_schema_is_current(published_schema):
    published = json.loads((ROOT / "docs" / "pipeline.schema.json").read_text())
    assert published == published_schema, "run `make schema`"


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_pipelines_keep_the_schema(path: Path, published_schema):
    document = json.loads(json.dumps(YAML(typ="safe", pure=True).load(path.read_text())))
    jsonschema.validate(document, published_schema)


def test_the_schema_refuses_unknown_keys(published_schema):
    document = {"name": "a", "task": "regression", "dataset": {"source": "a", "target": "b"}, "modle": {}}
    with pytest.raises(jsonschema.ValidationError, match="modle"):
        jsonschema.validate(document, published_schema)
