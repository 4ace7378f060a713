"""The sentinel's rules and their functions."""

from assay.gate import gate
from assay.gate.outcome import Check
from assay.specs import PipelineSpec
from assay.specs.rules import RULES

SENTINEL: dict[str, Check] = {
    name: check for name, check in gate.CHECKS.items() if check.__module__.startswith("assay.gate.sentinel.")
}


def configured_sentinel(spec: PipelineSpec) -> dict[str, Check]:
    """Return the functions of the sentinel's rules that apply to a pipeline."""
    return {name: check for name, check in SENTINEL.items() if RULES[name].configured(spec)}
