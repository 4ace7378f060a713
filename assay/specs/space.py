"""Spaces: where the results of a run live, so that experiments change nothing in production.

Production is the space without a name. A deployment of another branch has a space of its own, and so has each set of
run parameters (`assay.specs.overrides.space_of_run`): what their runs publish, train and promote stays there. A space
is a suffix of names (registered model, experiment) and a prefix of keys in the artifact store.
"""

import hashlib
import re
from dataclasses import dataclass

_LONGEST_BRANCH = 40
DIGITS = 8
"""Of a digest in the name of a space."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where results live.

    Attributes:
        branch: of a deployment that is not production; empty in production.
        experiment: of a run with parameters; empty in a run without.
        shares_rows: whether its runs read the deployment's rows where it has none: their parameters change neither
            data nor rules.
    """

    branch: str = ""
    experiment: str = ""
    shares_rows: bool = False

    @property
    def name(self) -> str:
        """What names and keys carry; empty for production."""
        return "-".join(filter(None, (self.branch, self.experiment)))

    @property
    def is_production(self) -> bool:
        """Whether results are production's."""
        return not self.name

    @property
    def of_deployment(self) -> "Space":
        """The space of the deployment's runs without parameters."""
        return Space(self.branch)

    def named(self, name: str) -> str:
        """Return the name of a registered model in this space."""
        return f"{name}-{self.name}" if self.name else name

    def tracked_as(self, pipeline: str) -> str:
        """Return the name of a pipeline's experiment in the tracker: one for all runs with parameters."""
        return "-".join(filter(None, (pipeline, self.branch, "experiments" if self.experiment else "")))


PRODUCTION = Space()


def branch_space(branch: str, production_branch: str) -> Space:
    """Return the space of a deployment by its branch; without a branch it is production."""
    branch = branch.strip()
    if branch in {"", production_branch}:
        return PRODUCTION
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", branch)[:_LONGEST_BRANCH].strip("-")
    # `feature/x` and `feature-x` are two branches
    digest = "" if plain == branch else hashlib.sha256(branch.encode()).hexdigest()[:DIGITS]
    return Space(branch="-".join(filter(None, (plain, digest))))
