"""A summary as Markdown: for a comment on a pull request, or the page of a CI job."""

from assay.markdown import escaped, table
from assay.shell.summary import Fact, Summary, Tone, metric_cells

_MARKS: dict[Tone, str] = {"": "", "good": "✅ ", "doubtful": "⚠️ ", "bad": "❌ "}


def to_markdown(summary: Summary) -> str:
    """Return title, facts, metrics and addresses; whatever data or people wrote shows as itself."""
    parts = [f"### {escaped(summary.title)}", table(("", ""), (_cells(each) for each in summary.facts))]
    rows = metric_cells(summary)
    if rows:
        header, *values = rows
        parts.append(table(header, ([escaped(name), *numbers] for name, *numbers in values)))
    parts += [f"({escaped(summary.rows_note)})"] if rows and summary.rows_note else []
    parts.append("\n".join(f"- {escaped(each.name)}: <{each.text}>" for each in summary.addresses))
    return "\n\n".join(filter(None, parts)) + "\n"


def _cells(fact: Fact) -> tuple[str, str]:
    return escaped(fact.name), f"{_MARKS[fact.tone]}{escaped(fact.text)}"
