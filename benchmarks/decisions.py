"""How often the platform's verdicts are right: a table for each kind of decision.

    python benchmarks/decisions.py [SECTION ...] [--scale 1.0]

Everything is simulated with fixed seeds and decided by the functions that the pipelines use, with their defaults.
`--scale` multiplies the number of repetitions. A section is a function of the scale that returns a `Table`; its module
is named in `SECTIONS`.
Does not belong here: what decisions cost (`overhead.py`).
"""

import argparse
import time

import decisions_leaks
import decisions_monitoring
import decisions_promotion
from decisions_table import Section

SECTIONS: tuple[Section, ...] = (
    *decisions_promotion.SECTIONS,
    *decisions_monitoring.SECTIONS,
    *decisions_leaks.SECTIONS,
)


def main() -> None:
    """Print the tables of the sections that are asked for, all unless named."""
    known = {section.name: section for section in SECTIONS}
    options = argparse.ArgumentParser(description="How often the platform's verdicts are right.")
    options.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(known)}; all unless named")
    options.add_argument("--scale", type=float, default=1.0, help="multiplies the number of repetitions")
    given = options.parse_args()
    unknown = [name for name in given.sections if name not in known]
    if unknown:
        options.error(f"no section {', '.join(unknown)}; there are {', '.join(known)}")
    for name in given.sections or known:
        began = time.monotonic()
        table = known[name].run(given.scale)
        print(f"## {known[name].title}\n\n{table.text()}\n\n{time.monotonic() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
