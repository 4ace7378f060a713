"""Names of runs that are requested once: an arrival's key, and which attempt at it.

Does not belong here: when there is a further attempt (`failures`).
"""

import re
from dataclasses import dataclass, replace

_ATTEMPT = re.compile(r"(?P<arrival>.*?)(?:#redrive-(?P<redrive>\d+))?(?:#retry-(?P<retry>\d+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RunKey:
    """One attempt at one arrival.

    Attributes:
        arrival: names the objects in their versions; `<uri>@<version>` where there is one object.
        redrive: how often people have started it over.
        retry: how often it was started again by itself since then.
    """

    arrival: str
    redrive: int = 0
    retry: int = 0

    def __str__(self) -> str:
        redrive = f"#redrive-{self.redrive}" if self.redrive else ""
        return self.arrival + redrive + (f"#retry-{self.retry}" if self.retry else "")

    @property
    def retried(self) -> "RunKey":
        """The next attempt."""
        return replace(self, retry=self.retry + 1)

    @property
    def redriven(self) -> "RunKey":
        """The first attempt after people have started it over."""
        return replace(self, redrive=self.redrive + 1, retry=0)


def parse_run_key(text: str) -> RunKey:
    """Return what a run key's text names."""
    match = _ATTEMPT.fullmatch(text)
    assert match is not None, text  # noqa: S101 - every text matches
    return RunKey(match["arrival"], int(match["redrive"] or 0), int(match["retry"] or 0))
