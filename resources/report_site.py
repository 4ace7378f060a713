"""Addresses of the pages for people, as the site of `assay show` serves them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from assay.specs.space import Space
from resources.mlflow.pages import run_page, version_page

if TYPE_CHECKING:
    from resources.store.commit_record import Commit

REPORT_PAGE, CARD_PAGE, GATE_PAGE, DRIFT_PAGE = "report.html", "model_card.md", "profile.html", "drift.html"
"""Names of the files beside a stored version."""


@dataclass(frozen=True, slots=True)
class ReportSite:
    """Where people open pages.

    Attributes:
        url: of the site, without a slash at its end, as the other addresses.
        space: of the stored versions; empty for production.
        dagster: address of Dagster's user interface.
        mlflow: address of MLflow's.
    """

    url: str
    space: str = ""
    dagster: str = ""
    mlflow: str = ""

    def of(self, space: Space) -> "ReportSite":
        """Return the addresses of what a space holds."""
        return replace(self, space=space.name)

    def made_by(
        self, dagster_run: str, annotations: Mapping[str, str], registered: tuple[str, str] | None = None
    ) -> dict[str, str]:
        """Return the addresses of what made a model, by what they are.

        Args:
            dagster_run: identifier.
            annotations: of the model; those of a tracked one name its run in MLflow.
            registered: name and version in the registry; None where it is not registered.
        """
        found = {"Dagster run": f"{self.dagster}/runs/{quote(dagster_run, safe='')}"}
        if "mlflow_run_id" in annotations:
            found["MLflow run"] = run_page(self.mlflow, annotations)
        return found | ({"Registered version": version_page(self.mlflow, *registered)} if registered else {})

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
