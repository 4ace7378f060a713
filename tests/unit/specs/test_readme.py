"""What README shows is what the platform takes."""

import re
from pathlib import Path

from assay.specs import RunOverrides
from assay.specs.loading import parse_pipeline

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()


def test_the_pipeline_of_the_readme_is_accepted():
    [example] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert parse_pipeline(example, where="README.md").name == "bank_marketing"


def test_every_run_parameter_is_named():
    assert all(f"`{name}`" in README for name in RunOverrides.model_fields)


def test_every_link_and_make_target_exists():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert all((ROOT / link).exists() for link in links), [link for link in links if not (ROOT / link).exists()]
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make (\w+)`|^\$ make (\w+)", README, re.MULTILINE))
    assert all(f"\n{first or second}:" in makefile for first, second in targets)
