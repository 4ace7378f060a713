"""From which columns each column of the feature set is computed, as the steps' texts say; no rows are needed.

What the target alone is computed from reveals it, and so does whatever is computed from that. Of several columns that
give the target together, as two times give a duration, neither need reveal it: the one may be known long before. These
are no features unless their role is declared; what is computed from one of them is judged by the gate.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from assay.expressions.queries import Query
from assay.features.parsing import Expressions
from assay.specs.features import AllBut, FeatureStep

Made: TypeAlias = tuple[int, str]
"""One version of a column: the number of the step that makes it, -1 for the source's, and its name then."""
SOURCE = -1


@dataclass
class Lineage:
    """The columns after all steps and what they are computed from; names ignore case, as in SQL."""

    target: str
    _made: dict[str, Made] = field(default_factory=dict)
    _parents: dict[Made, tuple[Made, ...]] = field(default_factory=dict)
    _adapted: set[Made] = field(default_factory=set)
    _names: set[tuple[Made, str]] = field(default_factory=set)

    def copy(self) -> "Lineage":
        """Return one that records by itself."""
        return Lineage(self.target, dict(self._made), dict(self._parents), set(self._adapted), set(self._names))

    def version_of(self, name: str) -> Made:
        """Return the present version of a column."""
        made = self._made.get(name.lower(), (SOURCE, name.lower()))
        self._names.add((made, name.lower()))
        return made

    def compute(self, number: int, name: str, sources: Iterable[str]) -> None:
        """Record that a step computes a column."""
        made = (number, name.lower())
        self._parents[made] = tuple(self.version_of(source) for source in sources if self.version_of(source) != made)
        self._made[name.lower()] = made

    def read(self, number: int, names: Iterable[str]) -> None:
        """Record what the conditions of a filter read."""
        made = (number, "")
        self._parents[made] = (*self._parents.get(made, ()), *map(self.version_of, names))

    def rename(self, names: Mapping[str, str]) -> None:
        """Record new names."""
        versions = {new: self.version_of(old) for old, new in names.items()}
        for old in names:
            self._made.pop(old.lower(), None)
        self._made |= {new.lower(): version for new, version in versions.items()}
        self._names |= {(version, new.lower()) for new, version in versions.items()}

    def source_of(self, name: str) -> str | None:
        """Return the source's column, in lower case, that a column is, perhaps under another name or type."""
        made = self.version_of(name)
        while made[0] != SOURCE:
            if made not in self._adapted:
                return None
            (made,) = self._parents[made]
        return made[1]

    def adapt(self, number: int, name: str) -> None:
        """Record that a step changes the type or single values of a column."""
        self.compute(number, name, [name])
        self._adapted.add((number, name.lower()))

    def sources_of(self, number: int, name: str) -> frozenset[str]:
        """Return the source's columns, in lower case, from which a column of a step is computed."""
        return frozenset(each for step, each in self._ancestors((number, name.lower())) if step == SOURCE)

    def lacks(self, name: str, absent: Collection[str], windows: Collection[int]) -> bool:
        """Whether a column cannot be computed for rows without some of the source's columns, in lower case.

        What the steps of some numbers make is of other rows, which have them.
        """
        seen, waiting = set[Made](), [self.version_of(name)]
        while waiting:
            made = waiting.pop()
            if made[0] == SOURCE and made[1] in absent:
                return True
            if made not in seen and made[0] not in windows:
                waiting += self._parents.get(made, ())
            seen.add(made)
        return False

    @property
    def revealing(self) -> frozenset[Made]:
        """What the target is computed from alone, what is computed from that, and the target."""
        found = {self.version_of(self.target), *_chain(self.version_of(self.target), self._parents)}
        while more := {made for made, parents in self._parents.items() if made not in found and found & {*parents}}:
            found |= more
        return frozenset(found)

    @property
    def ingredients(self) -> frozenset[Made]:
        """Whatever the target is computed from, alone or with others."""
        target = self.version_of(self.target)
        return frozenset(self._ancestors(target) - {target})

    def _ancestors(self, made: Made) -> set[Made]:
        """Return a version and all that it is computed from."""
        found, waiting = {made}, [made]
        while waiting:
            parents = [each for each in self._parents.get(waiting.pop(), ()) if each not in found]
            found.update(parents)
            waiting += parents
        return found

    def of_the_target(self, number: int, name: str) -> bool:
        """Whether a column that a step makes is the target, or serves it: rows that are only predicted may lack it."""
        return (number, name.lower()) in self.revealing | self.ingredients

    def serves_the_target(self, name: str) -> bool:
        """Whether the present version of a column is the target or serves it."""
        return self.version_of(name) in self.revealing | self.ingredients

    def named_for_the_target(self, name: str) -> bool:
        """Whether the target, or a column that serves it, has this name after some step."""
        versions = self.revealing | self.ingredients
        return any(made in versions for made, known in self._names if known == name.lower())


def _chain(made: Made, parents: Mapping[Made, tuple[Made, ...]]) -> Iterator[Made]:
    while len(parents.get(made, ())) == 1:
        (made,) = parents[made]
        yield made


def lineage_of(
    steps: Sequence[FeatureStep], expressions: Expressions, target: str, queries: Mapping[int, Query]
) -> Lineage:
    """Return what the columns after the steps are computed from; what a function of Python reads is not known."""
    lineage = Lineage(target)
    for number, step in enumerate(steps):
        if step.is_fitted:
            continue
        for name in step.aggregate.columns if step.aggregate is not None else ():
            lineage.compute(number, name, expressions[number, name].columns)
        for name in _joined_columns(step):
            lineage.compute(number, name, step.join.keys if step.join is not None else ())
        for name, columns in queries[number].items if number in queries else ():
            if name and name != "*" and columns != (name,):
                lineage.compute(number, name, columns)
        for name in step.derive or ():
            lineage.compute(number, name, expressions[number, name].columns)
        for name in (*(step.convert or ()), *(step.clip or ()), *(step.fill or ())):
            lineage.adapt(number, name)
        for reason in step.expressions if step.filter is not None else ():
            lineage.read(number, expressions[number, reason].columns)
        lineage.rename(step.rename or {})
    return lineage


def _joined_columns(step: FeatureStep) -> Iterable[str]:
    columns = step.join.columns if step.join is not None else ()
    return columns.values() if isinstance(columns, dict) else columns


def selected(select: tuple[str, ...] | AllBut, present: Sequence[str]) -> list[str]:
    """Return the columns that a `select` keeps."""
    if isinstance(select, tuple):
        return list(select)
    left_out = {name.lower() for name in select.but}
    return [name for name in present if name.lower() not in left_out]
