"""
Values that must be refused, each with its sentence: `chart/ci/refused/`.

The first line of each file says who refuses it and how: `# schema: ...` or `# template: ...`. The
schema refuses what is wrong by itself, a template what is wrong together or needs more words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.k8s.chart import CHART, Refused, Values, template

__all__ = ["FOLDER", "Refusal", "refusals"]

FOLDER = CHART / "ci" / "refused"
_FIRST = re.compile(r"# (schema|template): (.+)")
_MARKS = {"schema": "meet the specifications of the schema", "template": "validate.yaml"}


@dataclass(frozen=True)
class Refusal:
    """A file of values, who must refuse it, and the sentence that must be seen."""

    file: Path
    by: str
    sentence: str

    @property
    def name(self) -> str:
        return self.file.stem

    def fault(self) -> str | None:
        """Say what went wrong; None when it is refused as it has to be."""
        try:
            template(Values(self.name, self.file))
        except Refused as error:
            said = str(error)
        else:
            return "it was accepted"
        if _MARKS[self.by] not in said:
            return f"it was not the {self.by} that refused it: {said}"
        if self.sentence not in said:
            return f"helm said something else: {said}"
        return None


def refusals() -> list[Refusal]:
    """Return all of them, those that the schema refuses first."""
    found = []
    for file in FOLDER.glob("*.yaml"):
        first = _FIRST.fullmatch(file.read_text().splitlines()[0])
        assert first is not None, f"{file} begins with the sentence that refuses it"
        found.append(Refusal(file, first[1], first[2]))
    return sorted(found, key=lambda each: (each.by, each.name))
