"""The table of `realtime_top`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.operations.gateways import GatewayRow

__all__ = ["table", "total"]

_HEADS = (
    "GATEWAY",
    "STATE",
    "CONNECTIONS",
    "USERS",
    "OPENED/s",
    "CLOSED/s",
    "IN/s",
    "OUT/s",
    "DROPPED/s",
    "CPU",
    "MEMORY",
    "UP",
    "VERSION",
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def table(rows: Sequence[GatewayRow]) -> list[str]:
    """Return the lines of a table, with a sum where there is more than one gateway."""
    cells = [_cells(row) for row in rows]
    if len(rows) > 1:
        cells.append(_cells(total(rows)))
    widths = [max(len(line[column]) for line in (_HEADS, *cells)) for column in range(len(_HEADS))]
    return [
        # Names to the left, numbers to the right.
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (_HEADS, *cells)
    ]


def total(rows: Sequence[GatewayRow]) -> GatewayRow:
    """Return the sum of rows; who is away adds nothing to it."""
    limits = [row.limit for row in rows if row.limit is not None]
    told = [row.rates for row in rows if row.rates]
    return GatewayRow(
        name=f"all {len(rows)}",
        state="",
        connections=sum(row.connections or 0 for row in rows),
        # One that takes any number makes the sum one.
        limit=sum(limits) if limits and all(limits) else None,
        rates={label: sum(each.get(label, 0.0) for each in told) for label in told[0]}
        if told
        else None,
        cpu=sum(row.cpu or 0.0 for row in rows),
        rss=sum(row.rss or 0 for row in rows),
    )


def _cells(row: GatewayRow) -> tuple[str, ...]:
    rates = row.rates or {}
    return (
        row.name,
        row.state if row.state != "silent" else f"silent {row.age:.0f} s",
        _of(row.connections, row.limit),
        _number(row.users),
        *(_rate(rates, label) for label in ("opened", "closed", "received", "sent", "dropped")),
        "-" if row.cpu is None else f"{row.cpu:.0f} %",
        "-" if row.rss is None else f"{row.rss / 2**20:.0f} MiB",
        "-" if row.uptime is None else _duration(row.uptime),
        row.version or "-",
    )


def _of(connections: int | None, limit: int | None) -> str:
    if connections is None or not limit:
        return _number(connections)
    return f"{connections:,} of {limit:,}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _rate(rates: Mapping[str, float], label: str) -> str:
    if label not in rates:
        return "-"
    value = rates[label]
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _duration(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h"
    return f"{seconds // _DAY} d"
