"""How a pipeline prepares its columns: groups of columns, the transformers of each, and the values that a search sets.

A parameter of a transformer is named `steps.<group>.<transformer>.<parameter>`, in `tuning.search_space` as in what a
search finds: the group by its `name`, else by its position in the list from 0; the transformer by its name, of an
import path the class; a second one of the same name in a chain has `_2` behind it. A parameter of a fitted step of
`features` is named `features.<step>.<column>.<parameter>` (`assay.specs.features`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, JsonValue, field_validator, model_validator

from assay.specs.base import ColumnName, Location, Spec

_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PREFIX = "steps."
FITTED_PREFIX = "features."
"""Begins the names of parameters of steps of `features` that are fitted on the training rows."""
CATEGORIES = "preprocessing.categories"
"""Name of the encoding of categories among the parameters of a trial, as in a pipeline file."""
CategoryEncoding: TypeAlias = Literal["native", "ordinal", "one_hot", "target", "hashing"]
WITHOUT_FIT = ("passthrough", "drop")
"""Steps that are no transformers; they stand alone."""


def is_step_key(name: str) -> bool:
    """Return whether a name of a search space is a parameter of what prepares rows; an import path is a model's.

    It is of a transformer, of a step of `features` that is fitted on the training rows, or the encoding of categories.
    """
    return name == CATEGORIES or (name.startswith((_PREFIX, FITTED_PREFIX)) and ":" not in name)


def model_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a trial that are the model's."""
    return {name: value for name, value in parameters.items() if not is_step_key(name)}


def _absent(value: Any) -> bool:
    # fields that files of earlier versions lack: unset, they are no part of a digest
    return not value


class ChainedStep(Spec):
    """One transformer of a chain."""

    step: str
    """A known transformer's name, or `package.module:Class`."""
    parameters: dict[str, JsonValue] = {}
    """Constructor arguments."""

    @property
    def key(self) -> str:
        """What a search calls it."""
        return self.step.rpartition(":")[2].rpartition(".")[2]


class PreprocessingStep(Spec):
    """One transformer, or a chain of them, over some columns; the columns it takes are left alone by `auto`.

    A column may stand in several groups that make different things of it.
    """

    step: str | tuple[str | ChainedStep, ...] = Field(union_mode="left_to_right")
    """A known transformer's name, or `package.module:Class`; or a list of these, each of which takes what the one
    before it returns. One with parameters is written `{step: pca, parameters: {n_components: 3}}` in the list."""
    columns: tuple[ColumnName, ...] = Field(min_length=1)
    """The columns handed to it, in order."""
    parameters: dict[str, JsonValue] = {}
    """Constructor arguments of a single transformer."""
    name: str | None = Field(default=None, exclude_if=_absent)
    """What `tuning.search_space` calls this group of columns; its position from 0 unless set."""
    by: tuple[ColumnName, ...] = Field(default=(), exclude_if=_absent)
    """Columns whose values group the rows, for `group_impute`; they stay features of their own."""

    @field_validator("name")
    @classmethod
    def _name_is_a_word(cls, name: str | None) -> str | None:
        if name is not None and not _GROUP.fullmatch(name):
            msg = f"{name!r} is no name of a group: letters, digits, _ and -, not a digit first"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _list_fits(self) -> Self:
        names = [each.step for each in self.chain]
        if not names:
            msg = "an empty list of steps; name one, or `passthrough`"
            raise ValueError(msg)
        if not isinstance(self.step, str) and self.parameters:
            msg = "`parameters` beside a list of steps: write each with its own, {step: pca, parameters: {...}}"
            raise ValueError(msg)
        alone = [name for name in names if name in WITHOUT_FIT]
        if alone and len(names) > 1:
            msg = f"'{alone[0]}' stands alone, not in a list of steps"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        names = [each.step for each in self.chain]
        if self.by and ":" not in names[0] and names[0] != "group_impute":
            msg = f"`by` is for group_impute as the first step, and this is '{names[0]}'"
            raise ValueError(msg)
        if names[0] == "group_impute" and not self.by:
            msg = "group_impute needs `by`: the columns whose values group the rows"
            raise ValueError(msg)
        if set(self.by) & set(self.columns):
            msg = f"`by` and `columns` both name {', '.join(sorted(set(self.by) & set(self.columns)))}"
            raise ValueError(msg)
        return self

    @property
    def chain(self) -> tuple[ChainedStep, ...]:
        """The transformers in order; one unless the file has a list."""
        if isinstance(self.step, str):
            return (ChainedStep(step=self.step, parameters=self.parameters),)
        return tuple(ChainedStep(step=each) if isinstance(each, str) else each for each in self.step)

    @property
    def keys(self) -> tuple[str, ...]:
        """What a search calls each transformer."""
        names = [each.key for each in self.chain]
        before = [names[:position].count(name) for position, name in enumerate(names)]
        return tuple(f"{name}_{count + 1}" if count else name for name, count in zip(names, before, strict=True))

    def collides(self, other: "PreprocessingStep") -> bool:
        """Whether a column that both groups take would come out twice alike, or dropped and not dropped."""
        drops = "drop" in {self.chain[0].step, other.chain[0].step}
        return drops or (self.chain, self.by) == (other.chain, other.by)

    def replaced(self, values: Mapping[int, Mapping[str, JsonValue]]) -> Self:
        """Return the same group with further parameters of some transformers, by their position."""
        chain = tuple(
            each.model_copy(update={"parameters": {**each.parameters, **values.get(position, {})}})
            for position, each in enumerate(self.chain)
        )
        single = isinstance(self.step, str)
        return self.model_copy(update={"parameters": chain[0].parameters} if single else {"step": chain})


class PreprocessingSpec(Spec):
    """Explicit steps; columns that no step takes are prepared by their role."""

    steps: tuple[PreprocessingStep, ...] = ()
    categories: Literal["auto"] | CategoryEncoding = Field(default="auto", exclude_if=lambda given: given == "auto")
    """How categories without a step become numbers: `native` by the booster itself, `ordinal` by codes, `one_hot` by
    a column each, `target` by the target's out-of-fold means, `hashing` by signed hashes where there are more than
    `max_categories`. `auto` goes by the family, and a search tries what boosters do well with."""
    max_categories: int = Field(default=50, ge=2)
    """A column of more categories, missing included, is encoded by the target's out-of-fold means, except by
    `hashing`, and by `native` of CatBoost, which makes such means itself."""
    text_features: int = Field(default=256, ge=1)
    """Largest vocabulary of one text column."""

    @model_validator(mode="after")
    def _groups_once(self) -> Self:
        names = [each.name for each in self.steps if each.name is not None]
        if len(set(names)) != len(names):
            msg = f"two groups have one name: {', '.join(names)}"
            raise ValueError(msg)
        return self

    def collisions(self) -> Iterator[tuple[int, int, int]]:
        """Yield each column that collides: numbers of its group and its place there, and of the other group."""
        groups: dict[str, list[int]] = {}
        for number, step in enumerate(self.steps):
            for place, column in enumerate(step.columns):
                taken = groups.setdefault(column, [])
                first = next((each for each in taken if self.steps[each].collides(step)), None)
                if first is not None:
                    yield number, place, first
                taken.append(number)

    @property
    def transformers(self) -> dict[str, tuple[int, int]]:
        """Position of the group and in its chain of each transformer, by `<group>.<transformer>`."""
        return {
            f"{step.name or number}.{key}": (number, position)
            for number, step in enumerate(self.steps)
            for position, key in enumerate(step.keys)
        }

    def chained(self, key: str) -> tuple[ChainedStep, str] | None:
        """Return the transformer and the parameter that a name of a search space means, or None."""
        transformer, _, parameter = key.removeprefix(_PREFIX).rpartition(".")
        found = self.transformers.get(transformer)
        return None if found is None else (self.steps[found[0]].chain[found[1]], parameter)

    def written(self) -> Iterator[tuple[str, Any, Location]]:
        """Yield each parameter that the file sets, with the name that a search has for it and its location."""
        if self.categories != "auto":
            yield CATEGORIES, self.categories, ("categories",)
        for transformer, (number, position) in self.transformers.items():
            step = self.steps[number]
            chained = () if isinstance(step.step, str) else ("step", position)
            for name, value in step.chain[position].parameters.items():
                yield f"{_PREFIX}{transformer}.{name}", value, ("steps", number, *chained, "parameters", name)

    def with_values(self, parameters: Mapping[str, Any]) -> Self:
        """Return the same preprocessing with what a search found for it, by the names of the parameters."""
        found = {"categories": parameters[CATEGORIES]} if CATEGORIES in parameters else {}
        given: dict[int, dict[int, dict[str, Any]]] = {}
        for key, value in parameters.items():
            if key.startswith(_PREFIX) and is_step_key(key):
                transformer, _, name = key.removeprefix(_PREFIX).rpartition(".")
                number, position = self.transformers[transformer]
                given.setdefault(number, {}).setdefault(position, {})[name] = value
        if given:
            found["steps"] = tuple(each.replaced(given.get(number, {})) for number, each in enumerate(self.steps))
        return self.model_copy(update=found) if found else self
