"""The job that starts over what a new-data sensor gave up.

Does not belong here: when an arrival is given up (`assay.arrivals.failures`).
"""

import dagster as dg
from pydantic import Field

from assay.errors import SourceNotFoundError
from resources.arrivals_store import ArrivalsStore


class RedriveConfig(dg.Config):
    """Which dead letters are started over."""

    pipeline: str = Field(description="Whose new-data sensor gave them up.")
    uri: str | None = Field(default=None, description="The object; all that were given up unless set.")


@dg.op(description="Have the sensor start over what it gave up.")
def order_redrive(context: dg.OpExecutionContext, config: RedriveConfig, arrivals_store: ArrivalsStore) -> int:
    """Order dead letters to be started over at the sensor's next look; returns how many."""
    kept = arrivals_store.of(config.pipeline)
    letters = {name: kept.letter(name) for name in kept.dead().names}
    ordered = {name: letter for name, letter in letters.items() if config.uri in {None, letter.uri}}
    if not ordered:
        raise SourceNotFoundError(
            "there is no such dead letter",
            where=f"{config.pipeline}, {config.uri or 'any object'}",
            expected=", ".join(sorted(str(letter.uri) for letter in letters.values())),
            remedy="see the message of the sensor's last tick",
        )
    for name, letter in ordered.items():
        kept.order(name)
        context.log.info("%s starts over at the sensor's next look", letter.uri or config.pipeline)
    return len(ordered)


@dg.job(description="Start over the arrivals that a pipeline's new-data sensor gave up.")
def arrivals_redrive_job() -> None:
    """One step: `order_redrive`."""
    order_redrive()
