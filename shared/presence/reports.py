"""How running gateways fare, as each says it of itself every ten seconds; for administrators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta

from django.db.models.functions import Now

from shared.presence.clients import Condition
from shared.presence.models import Report

__all__ = ["do_report", "reports_of"]

_FORGET = timedelta(hours=1)


def do_report(incarnation: str, condition: Condition) -> None:
    """Write how a gateway fares, instead of what it said before; what dead ones said goes."""
    told = {**asdict(condition), "items": dict(condition.items)}
    Report.objects.update_or_create(incarnation=incarnation, defaults={**told, "made": Now()})
    Report.objects.filter(made__lt=Now() - _FORGET).delete()


def reports_of(incarnations: Collection[str]) -> dict[str, Condition]:
    """Return what gateways said last, by incarnation; who has said nothing is left out."""
    columns = "version", "uptime", "cpu", "rss", "interval", "items"
    rows = Report.objects.filter(incarnation__in=incarnations).values_list("incarnation", *columns)
    return {incarnation: Condition(*told) for incarnation, *told in rows}
