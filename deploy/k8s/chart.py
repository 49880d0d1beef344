"""The chart as helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.k8s.tools import tools

__all__ = [
    "CHART",
    "FOLDER",
    "RELEASE",
    "Object",
    "Refused",
    "Values",
    "helm_text",
    "lint",
    "load",
    "template",
]

FOLDER = Path(__file__).resolve().parent
CHART = FOLDER / "chart"
RELEASE = "carillon"

type Object = dict[str, Any]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(Exception):
    """Helm did not render or like the chart; the text is what it said."""


@dataclass(frozen=True)
class Values:
    """A set of values: what it is called, and the file that is laid over the default ones."""

    name: str
    file: Path | None

    @classmethod
    def all(cls) -> list[Values]:
        """The default values and those of `ci/`."""
        files = sorted((CHART / "ci").glob("*-values.yaml"))
        return [cls("default", None), *(cls(f"ci/{file.name}", file) for file in files)]

    @property
    def arguments(self) -> list[str]:
        return ["--values", str(self.file)] if self.file else []


def template(
    values: Values, *arguments: str, namespace: str = "default", release: str = RELEASE
) -> list[Object]:
    """
    Render the chart and return its objects.

    Raises:
        Refused: the schema or a template does not take the values.
    """
    command = ["template", release, str(CHART), "--namespace", namespace, *values.arguments]
    return load(helm_text([*command, *arguments]))


def lint(values: Values) -> None:
    """
    Have helm look at the chart, taking its warnings for errors.

    Raises:
        Refused: it found something.
    """
    helm_text(["lint", "--strict", "--quiet", str(CHART), *values.arguments])


def load(text: str) -> list[Object]:
    """Read the documents of a YAML text; empty ones are left out."""
    return [found for found in yaml.load_all(text, Loader=_Loader) if found]


def helm_text(arguments: Sequence[str]) -> str:
    result = subprocess.run([str(tools().helm), *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused((result.stderr + result.stdout).strip())
    return result.stdout
