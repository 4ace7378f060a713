"""Addresses of the pages for people, as the site of `assay show` serves them."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from assay.specs.space import Space

if TYPE_CHECKING:
    from resources.store.commit_record import Commit

REPORT_PAGE, CARD_PAGE, GATE_PAGE, DRIFT_PAGE = "report.html", "model_card.md", "profile.html", "drift.html"
"""Names of the files beside a stored version."""


@dataclass(frozen=True, slots=True)
class ReportSite:
    """Where people open pages.

    Attributes:
        url: of the site, without a slash at its end.
        space: of the stored versions; empty for production.
    """

    url: str
    space: str = ""

    def of(self, space: Space) -> "ReportSite":
        """Return the addresses of what a space holds."""
        return replace(self, space=space.name)

    def history(self, pipeline: str) -> str:
        """Return the address of a pipeline's page over time."""
        return f"{self.url}/{quote(pipeline, safe='')}/history" + (
            f"?{urlencode({'space': self.space})}" if self.space else ""
        )

    def page(self, commit: "Commit", name: str) -> str:
        """Return the address of a page of a stored version."""
        pipeline, series = (quote(part, safe="") for part in (commit.asset[0], commit.asset[-1]))
        given = {"partition": commit.partition, "space": self.space or None}
        query = urlencode({key: value for key, value in given.items() if value is not None})
        return f"{self.url}/{pipeline}/{series}/{commit.number}/{name}{f'?{query}' if query else ''}"
