"""Cron lines, checked when a file is loaded: a line that never fires is refused too.

The forms are those that Dagster's schedules understand: numbers, names, lists, ranges, steps, `L` for the last day of
a month and `mon#1` for its first Monday. https://man7.org/linux/man-pages/man5/crontab.5.html
"""

import re
from dataclasses import dataclass

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()
    special: str = "(?!)"
    """Pattern of further forms; none unless set."""

    def number(self, text: str) -> int:
        """Return the number that a text or name means; -1 for anything else."""
        if text.lower() in self.words:
            return self.words.index(text.lower()) + self.low
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) and self.low <= int(text) <= self.high else -1

    def values(self, part: str) -> set[int]:
        """Return the numbers that one part of a list covers; empty if it is not valid."""
        every = range(self.low, self.high + 1)
        if re.fullmatch(self.special, part, re.IGNORECASE):
            return set(every)
        span, slash, step = part.partition("/")
        ends = [str(self.low), str(self.high)] if span == "*" else span.split("-")
        numbers = [self.number(end) for end in ends]
        if len(numbers) > 2 or min(numbers) < 0 or (slash and not re.fullmatch("0*[1-9][0-9]{0,3}", step)):  # noqa: PLR2004
            return set()
        first = numbers[0]
        last = self.high if slash and len(numbers) == 1 else numbers[-1]
        # a range such as fri-mon goes over the end
        beyond = () if first <= last else range(self.low, last + 1)
        covered = [*range(first, (last if first <= last else self.high) + 1), *beyond]
        return set(covered[:: int(step or 1)])


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, special=r"\?|l"),
    _Field("month", 1, 12, tuple(_MONTHS)),
    _Field("day of the week", 0, 7, tuple(_DAYS), special=rf"\?|([0-7]|{'|'.join(_DAYS)})#[1-5]|l[0-7]"),
)


def cron_problem(line: str) -> str:
    """Return why a line is no cron line, or never fires; empty if it is one."""
    given = line.split()
    if len(given) != len(_FIELDS):
        return f"a cron line of {len(_FIELDS)} fields ({', '.join(field.name for field in _FIELDS)})"
    covered: list[set[int]] = []
    for field, text in zip(_FIELDS, given, strict=True):
        parts = [field.values(part) for part in text.split(",")]
        if not all(parts):
            return f"a cron line whose {field.name} is between {field.low} and {field.high}, which '{text}' is not"
        covered.append(set().union(*parts))
    _, _, days, months, _ = covered
    if min(days) > max(_MOST_DAYS[month - 1] for month in months):
        return f"a cron line that fires: there is no day {given[2]} in month {given[3]}"
    return ""
