"""What `realtime_check` says."""

from __future__ import annotations

from django.core.checks import Warning

from shared.operations.catalogue import found
from shared.operations.reports import as_json, lines


def test_lines() -> None:
    """What was looked at, then warnings, then errors, each in one line with what to do."""
    findings = [
        found("carillon.E020", "RabbitMQ is not there", "Start it."),
        Warning("Something of Django's.\n", hint="Read\nits docs.", id="security.W001"),
        found("carillon.W012", "No folder is set", "Set it."),
    ]
    assert list(lines({"broker": {"place": "a:1", "queues": {"b": 2}}}, findings)) == [
        "looked  broker: place a:1, queues b=2",
        "warning carillon.W012: No folder is set. Set it.",
        "warning security.W001: Something of Django's. Read its docs.",
        "ERROR   carillon.E020: RabbitMQ is not there. Start it.",
        "1 error, 2 warnings.",
    ]
    told = as_json({}, findings)
    assert told["ok"] is False
    assert told["findings"][0] == {
        "id": "carillon.E020",
        "level": "error",
        "fault": "RabbitMQ is not there",
        "remedy": "Start it.",
    }


def test_nothing_found() -> None:
    """It says so."""
    assert list(lines({}, [])) == ["All is well."]
    assert as_json({}, []) == {"ok": True, "seen": {}, "findings": []}
