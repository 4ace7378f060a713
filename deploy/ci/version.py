"""The version of this checkout, and whether a package index has it: a published version is never replaced."""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import urllib3
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_JSON = "application/vnd.pypi.simple.v1+json"
_HTML_FILE = re.compile(r">\s*([^<>\s]+\.whl)\s*</a", re.IGNORECASE)
_NO_PROJECT = 404


def released(index: str) -> set[Version]:
    """Return the versions of this project that a simple index has (PEP 691, or the HTML of PEP 503)."""
    return {parse_wheel_filename(file)[1] for file in _files(index) if file.endswith(".whl")}


def _files(index: str) -> Iterator[str]:
    address = f"{index.rstrip('/')}/{canonicalize_name(PROJECT['name'])}/"
    answer = urllib3.request("GET", address, headers={"Accept": f"{_JSON}, text/html;q=0.1"}, timeout=30.0)
    if answer.status == _NO_PROJECT:
        return
    if answer.status >= 300:  # noqa: PLR2004 - HTTP's own classes
        msg = f"{address} answers {answer.status}, so nobody knows which versions it has"
        raise SystemExit(msg)
    if answer.headers.get("Content-Type", "").startswith(_JSON):
        yield from (each["filename"] for each in answer.json()["files"])
    else:
        yield from _HTML_FILE.findall(answer.data.decode())


def main() -> int:
    """Print the version; exit 1 where it is no version, or where the index has it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unreleased-in", metavar="INDEX", help="a simple index, e.g. https://pypi.org/simple/")
    index = parser.parse_args().unreleased_in
    try:
        version = Version(PROJECT["version"])
    except InvalidVersion as error:
        sys.stderr.write(f"project.version of pyproject.toml: {error}\n")
        return 1
    if index is not None and version in (found := released(index)):
        sys.stderr.write(
            f"version {version} of {PROJECT['name']} is published already (newest: {max(found)}): "
            "raise project.version in pyproject.toml\n"
        )
        return 1
    sys.stdout.write(f"{version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
