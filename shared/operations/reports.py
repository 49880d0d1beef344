"""What `realtime_check` says, in lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.checks import ERROR, CheckMessage

__all__ = ["as_json", "lines"]

_SIZE = 8


def lines(
    facts: Mapping[str, Mapping[str, Any]], findings: Sequence[CheckMessage]
) -> Iterator[str]:
    """Yield a line for each thing that was looked at and each finding, errors last."""
    for name, seen in facts.items():
        parts = [f"{key.replace('_', ' ')} {_text(value)}" for key, value in seen.items()]
        yield f"{'looked':<{_SIZE}}{name}: {', '.join(part for part in parts if part)}"
    for finding in sorted(findings, key=lambda one: (one.level, one.id or "")):
        kind = "ERROR" if finding.level >= ERROR else "warning"
        fault = " ".join(str(finding.msg).split()).rstrip(".")
        hint = " ".join(str(finding.hint or "").split())
        yield f"{kind:<{_SIZE}}{finding.id or 'check'}: {fault}. {hint}".rstrip()
    errors = sum(finding.is_serious() for finding in findings)
    others = len(findings) - errors
    yield (
        f"{_number(errors, 'error')}, {_number(others, 'warning')}." if findings else "All is well."
    )


def as_json(
    facts: Mapping[str, Mapping[str, Any]], findings: Sequence[CheckMessage]
) -> dict[str, Any]:
    """Return the same as one object."""
    return {
        "ok": not any(finding.is_serious() for finding in findings),
        "seen": {name: dict(seen) for name, seen in facts.items()},
        "findings": [
            {
                "id": finding.id,
                "level": "error" if finding.level >= ERROR else "warning",
                "fault": str(finding.msg),
                "remedy": str(finding.hint or ""),
            }
            for finding in findings
        ],
    }


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={each}" for key, each in value.items()) or "none"
    return str(value)
