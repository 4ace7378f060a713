"""What the parameters of a run may name: no code, and data and targets only where the deployment allows them.

The author of a pipeline file is trusted like the author of code; who launches a run is trusted with data and numbers.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from assay.credentials import redacted
from assay.errors import SpecError
from assay.importing import is_import_path
from assay.specs.overrides import PRODUCTION_NAME, SPACE_PARAMETER, RunOverrides
from assay.specs.pipeline import PipelineSpec
from assay.specs.space import Space
from resources.sources.address import fixed_prefix, is_glob, without_secrets
from resources.sources.local import LocalSource

_CODE_RULES = ("custom", "pandera_schema")
_ON_DISK = re.compile(r"(?:file|sqlite|duckdb)://")
_VERSION = re.compile(r"[A-Za-z0-9._+-]+")
_VARIABLE_FIELD = re.compile(r"(resources|ops)\.[^.]+\.config\.[^.]+\.env")
_SECRET_NAME = re.compile(
    r"token|secret|passw|credential|api_?key|(^|[-_.])(sig|signature|key|key-pair-id|pw|pwd|sas|auth|jwt)($|[-_.])",
    re.IGNORECASE,
)
_LONGEST_PLAIN = 40
"""Longer values in a query string are taken for signatures."""
_SETTING = "have the deployment add it to ASSAY_RUN_ROOTS"


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """What a run may do beyond its pipeline file.

    Attributes:
        roots: folders and addresses below which its data and targets lie.
        reserved: folders and addresses that it may not name although a root holds them.
        web_hosts: hosts of `https://` sources that the deployment lists.
        code: whether its parameters may name code, and its run config may change resources.
        production: whether a run of another space may ask for production.
        schemas: folder of reviewed schema files, with which the columns that it names are compared.
    """

    roots: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    web_hosts: tuple[str, ...] = ()
    code: bool = False
    production: bool = False
    schemas: Path | None = None

    def require_config(self, run_config: Mapping[str, Any], *, where: str) -> None:
        """Refuse run config that changes the deployment's resources, or reads variables of its environment.

        Raises:
            SpecError: it sets another resource than `run_parameters`, or names a variable.
        """
        changed = sorted(set(run_config.get("resources") or {}) - {"run_parameters"})
        if changed and not self.code:
            raise SpecError(
                "the run config changes resources of the deployment",
                where=f"{where}, resources",
                found=", ".join(changed),
                expected="run_parameters alone",
                remedy="set them by ASSAY_* settings, or have the deployment set ASSAY_RUN_CODE=on",
            )
        # Dagster puts the variable's value in place of `{env: NAME}` before the step starts
        asked = next((name for name, _ in _nodes(run_config) if _VARIABLE_FIELD.fullmatch(name)), None)
        if asked is not None and not self.code:
            raise SpecError(
                "the run config reads a variable of the environment",
                where=f"{where}, {asked.rpartition('.')[0]}",
                expected="the value itself",
                remedy="write the value; variables belong into the pipeline file",
            )

    def require_space(self, asked: Space, own: Space, *, where: str) -> None:
        """Refuse that a run of another space works in production, unless the deployment allows it.

        Args:
            asked: the run's space.
            own: the one that it would have if it asked for none.
            where: for the message.

        Raises:
            SpecError: it asks for production.
        """
        if asked.is_production and not own.is_production and not self.production:
            raise SpecError(
                f"a run of the space {own.name} may not change production",
                where=f"{where}, {SPACE_PARAMETER}",
                found=PRODUCTION_NAME,
                expected="no space, or the name of one",
                remedy="write the parameters into the pipeline file, or have the deployment set "
                "ASSAY_RUN_PRODUCTION=on",
            )

    def require(self, overrides: RunOverrides, spec: PipelineSpec, *, where: str) -> None:
        """Refuse parameters that name code, variables, credentials, or locations outside the roots.

        Raises:
            SpecError: names the parameter.
        """
        for name, text in _nodes(overrides.given):
            if isinstance(text, str):
                _refuse_secrets(text, f"{where}, {name}")
        if not self.code:
            _refuse_code(overrides, spec, where)
        _refuse_shown_columns(overrides, spec, where)
        if overrides.model_version is not None and not _VERSION.fullmatch(overrides.model_version):
            raise SpecError(
                "the model version cannot name a folder",
                where=f"{where}, model_version",
                found=repr(overrides.model_version),
                expected="letters, digits and . _ + -",
                remedy="correct the value",
            )
        if overrides.data_source is not None and overrides.data_source != spec.dataset.source:
            self._require_location(overrides.data_source, _locations_of(spec), f"{where}, data_source")
        target = overrides.target_output_path
        if target is not None and target != spec.training.target_output_path:
            self._require_location(target, _locations_of(spec), f"{where}, target_output_path")

    def _require_location(self, address: str, own: tuple[str, ...], where: str) -> None:
        roots = (*self.roots, *own)
        scheme, separator, rest = address.partition("://")
        if scheme == "demo" and separator:
            return
        if not separator or _ON_DISK.match(address):
            self._require_path(_path_of(address), roots, address, where)
            return
        if scheme == "https" and _host(rest) in self.web_hosts:
            return
        inside = [root for root in roots if "://" in root and _is_below(address, root)]
        reserved = [each for each in self.reserved if "://" in each and _is_below(address, each)]
        if not inside or reserved or ".." in unquote(rest).replace("\\", "/").split("/"):
            raise _outside(address, roots, where)

    def _require_path(self, pattern: str, roots: tuple[str, ...], address: str, where: str) -> None:
        folders = [
            Path(_path_of(root)).expanduser().resolve() for root in roots if "://" not in root or _ON_DISK.match(root)
        ]
        reserved = [Path(each).expanduser().resolve() for each in self.reserved if "://" not in each]
        try:
            paths = list(_resolved(pattern))
        except (OSError, ValueError) as error:  # a NUL, half of a surrogate pair, a name that is too long
            raise _outside(address, roots, where) from error
        for path in paths:
            below = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
            hidden = below and all(any(part.startswith(".") for part in each.parts) for each in below)
            if not below or hidden or any(path.is_relative_to(folder) for folder in reserved):
                raise _outside(address, roots, where)


def _refuse_code(overrides: RunOverrides, spec: PipelineSpec, where: str) -> None:
    rules = [name for name in _CODE_RULES if overrides.data_validation.get(name)]
    named = [f"data_validation.{name}" for name in rules]
    model = overrides.model_name
    if model is not None and is_import_path(model) and model not in spec.model.candidates:
        named.append("model_name")
    if named:
        raise SpecError(
            "a run parameter names code",
            where=f"{where}, {named[0]}",
            found=str(overrides.data_validation[rules[0]] if rules else model),
            expected="names of model families, and rules without code",
            remedy="name it in the pipeline file, or have the deployment set ASSAY_RUN_CODE=on",
        )


def _refuse_shown_columns(overrides: RunOverrides, spec: PipelineSpec, where: str) -> None:
    """Refuse that a run shows values which the pipeline file hides."""
    both = {"columns": overrides.columns, "ingestion_config.columns": overrides.ingestion_config.get("columns")}
    for parameter, columns in both.items():
        for name, known in columns.items() if isinstance(columns, dict) else ():
            hidden = name in spec.dataset.columns and spec.dataset.columns[name].pii
            if hidden and isinstance(known, dict) and known.get("pii") is False:
                raise SpecError(
                    "a run may not show the values of a column that the pipeline file hides",
                    where=f"{where}, {parameter}.{name}.pii",
                    found="false",
                    expected="true",
                    remedy="leave pii out",
                )


def _refuse_secrets(text: str, where: str) -> None:
    if "${" in text:
        raise SpecError(
            "${...} is not filled in for a run",
            where=where,
            found=redacted(text),
            remedy="write the value itself; variables belong into the pipeline file",
        )
    if _holds_secret(text):
        raise SpecError(
            "an address of a run holds credentials or a signature, and Dagster stores and shows run config",
            where=where,
            found=redacted(text),
            expected="an address without user, password and signature",
            remedy="revoke them; set the address as a variable ASSAY_SOURCE_NAME of the deployment, and name it in the "
            "pipeline file: ${ASSAY_SOURCE_NAME}",
        )


def _holds_secret(text: str) -> bool:
    if "://" not in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return "@" in text
    given = [pair for each in (parts.query, parts.fragment) for pair in parse_qsl(each, keep_blank_values=True)]
    return "@" in parts.netloc or any(
        _SECRET_NAME.search(name) or len(value) >= _LONGEST_PLAIN for name, value in given
    )


def _nodes(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of run config with its path."""
    yield name, node
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _nodes(value, f"{name}.{key}" if name else str(key))


def _locations_of(spec: PipelineSpec) -> tuple[str, ...]:
    """Return where the file itself reads and writes: its bucket, host or database, and its folder on disk."""
    named = [spec.dataset.source, *([spec.scoring.source] if spec.scoring and spec.scoring.source else [])]
    locations = [_around(address) for address in named if "${" not in address]
    target = spec.training.target_output_path
    return tuple(location for location in (*locations, target or "") if location)


def _around(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    if separator and not _ON_DISK.match(address):
        return f"{scheme}://{rest.partition('/')[0]}"
    folder = Path(fixed_prefix(_path_of(address))).expanduser()
    folder = folder if folder.is_dir() else folder.parent
    resolved = folder.resolve()
    return "" if resolved == resolved.parent else str(resolved)


def _path_of(address: str) -> str:
    path = _ON_DISK.sub("", address)
    return path.removeprefix("/") if address.startswith(("sqlite:", "duckdb:")) else path


def _resolved(pattern: str) -> Iterator[Path]:
    """Yield the real paths that a path or glob stands for: its fixed part, and every match."""
    path = Path(pattern.replace("{partition}", "*")).expanduser()
    fixed = Path(fixed_prefix(str(path)))
    yield (path if not is_glob(str(path)) else fixed if str(fixed).endswith(os.sep) else fixed.parent).resolve()
    if ".." in path.parts[len(fixed.parts) :]:
        yield Path("/")  # a glob that climbs
        return
    if is_glob(str(path)) or path.is_dir():
        for item in LocalSource(str(path)).objects():
            yield Path(item.uri).resolve()


def _is_below(address: str, root: str) -> bool:
    root = root.rstrip("/")
    return address == root or address.startswith((f"{root}/", f"{root}?"))


def _host(rest: str) -> str:
    return rest.partition("/")[0].rpartition("@")[2].partition(":")[0].lower()


def _outside(address: str, roots: tuple[str, ...], where: str) -> SpecError:
    return SpecError(
        "a run may not name this location",
        where=where,
        found=without_secrets(address),
        expected=f"a location below {', '.join(map(without_secrets, roots))}, "
        "in no hidden folder and no store of the platform",
        remedy=f"use a location below one of them, name it in the pipeline file, or {_SETTING}",
    )
