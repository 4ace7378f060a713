"""The observers that a deployment's settings switch on."""

from importlib.util import find_spec

from assay.errors import SettingError
from resources.observers.interface import ObserverKind
from resources.observers.openlineage_events import OPENLINEAGE
from resources.observers.trace_spans import TRACES
from resources.observers.wandb_mirror import WANDB
from resources.settings import Settings

OBSERVERS: tuple[ObserverKind, ...] = (OPENLINEAGE, TRACES, WANDB)
"""A new one is added here."""


def observers_of(settings: Settings) -> tuple[ObserverKind, ...]:
    """Return the observers that are switched on; imports and connects nothing.

    Raises:
        SettingError: the packages of one are not installed.
    """
    wanted = tuple(kind for kind in OBSERVERS if kind.wanted(settings))
    for kind in wanted:
        _require_package(kind)
    return wanted


def _require_package(kind: ObserverKind) -> None:
    try:
        found = find_spec(kind.module)
    except ModuleNotFoundError:  # of a package around it
        found = None
    if found is None:
        raise SettingError(
            f"the package for {kind.name} is not installed",
            where=kind.setting,
            found=f"no module {kind.module}",
            expected=f"the optional packages `{kind.extra}` of assay",
            remedy=f"pip install 'assay[{kind.extra}]', or remove the setting",
        )
