"""A draft as the text of a pipeline file: reasons stand above their settings, questions at the top."""

import io
import textwrap
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from assay.drafting.draft import Draft, Path
from assay.markdown import one_line

_WIDTH = 118
_INDENT = 2
_INTRODUCTION = "Drafted from {rows:,} rows: every setting below is yours to change."
_QUESTIONS = "Questions that the rows leave open:"
_ON_ONE_LINE = {("split",), ("tuning",), ("dataset", "dialect")}


def pipeline_text(draft: Draft, rows: int, schema: str | None = None) -> str:
    """Return the file.

    Args:
        draft: the pipeline.
        rows: how many rows it was drafted from.
        schema: address of the JSON Schema, for editors; None where it is not known.
    """
    editor = YAML()
    editor.width, editor.default_flow_style = _WIDTH, False
    out = io.StringIO()
    editor.dump(_section(draft.document, (), draft.reasons), out)
    return f"{_header(draft, rows, schema)}{out.getvalue()}"


def _header(draft: Draft, rows: int, schema: str | None) -> str:
    lines = [f"# yaml-language-server: $schema={schema}"] if schema else []
    lines.append(f"# {_INTRODUCTION.format(rows=rows)}")
    if draft.questions:
        lines.append(f"# {_QUESTIONS}")
        for question in draft.questions:
            lines += textwrap.wrap(one_line(question), _WIDTH, initial_indent="# - ", subsequent_indent="#   ")
    return "".join(f"{line}\n" for line in lines)


def _section(settings: Mapping[str, Any], path: Path, reasons: Mapping[Path, str]) -> CommentedMap:
    section = CommentedMap()
    for name, value in settings.items():
        here = (*path, name)
        section[name] = _value(value, here, reasons)
        if here in reasons:
            indent = _INDENT * len(path)
            comment = "\n".join(textwrap.wrap(one_line(reasons[here]), _WIDTH - indent))
            section.yaml_set_comment_before_after_key(name, before=comment, indent=indent)
    return section


def _value(value: Any, path: Path, reasons: Mapping[Path, str]) -> Any:
    if isinstance(value, Mapping):
        inner = _section(value, path, reasons)
        has_reasons = any(path == reason[: len(path)] and len(reason) > len(path) for reason in reasons)
        is_short = path in _ON_ONE_LINE or path[:-1] == ("dataset", "columns")
        if is_short and not has_reasons:
            inner.fa.set_flow_style()
        return inner
    if isinstance(value, list):
        items = CommentedSeq(value)
        items.fa.set_flow_style()
        return items
    return value
