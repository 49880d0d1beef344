"""
The gateways, as they tell of themselves: through the database, or on their internal ports.

Every gateway writes into the database how it fares, every ten seconds: whoever has the database
knows all of them, wherever they run. Their metrics tell of this very moment; they are for whoever
reaches the internal ports, by address or by a name that stands for several.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import close_old_connections, connection
from django.db.models.functions import Now
from prometheus_client.parser import text_string_to_metric_families

from shared.presence.clients import LEASE_SECONDS
from shared.presence.models import Lease, Report

__all__ = ["Address", "GatewayRow", "InvalidAddress", "Scraper", "reported"]

_SECONDS = 2.0
_USUAL_PORT = 9000

# By the name of a report's item, what counts and what stands, and which metrics say the same.
_RATES = {
    "opened": ("connections_opened", "carillon_gateway_connections_opened_total"),
    "closed": ("connections_closed", "carillon_gateway_connections_closed_total"),
    "received": ("messages_received", "carillon_gateway_messages_received_total"),
    "sent": ("messages_sent", "carillon_gateway_messages_sent_total"),
    "dropped": ("messages_dropped", "carillon_gateway_messages_dropped_total"),
}
_CPU, _RSS = "process_cpu_seconds_total", "process_resident_memory_bytes"
_STARTED = "process_start_time_seconds"


class InvalidAddress(ValueError):
    """
    What names no port of a host.

    Attributes:
        given: what it was.
    """

    def __init__(self, given: str) -> None:
        self.given = given

    def __str__(self) -> str:
        return f"{self.given!r} is no address: write host:port, such as gateway:9000."


@dataclass(frozen=True)
class GatewayRow:
    """
    One gateway at one moment; None stands for what nobody has said.

    Attributes:
        name: the gateway's name, or the address of its internal port.
        uid: which process, where the database tells of it.
        version: what it runs.
        state: `up`, `draining`, `silent` for one whose last word is old, or `away`.
        connections: how many there are.
        limit: how many there may be; 0 is any number.
        users: of how many users.
        rates: by name how often something happens in a second.
        cpu: of one processor, in per cent.
        rss: memory in bytes.
        uptime: in seconds.
        age: for how many seconds this has been so.
    """

    name: str
    uid: str = ""
    version: str = ""
    state: str = "up"
    connections: int | None = None
    limit: int | None = None
    users: int | None = None
    rates: Mapping[str, float] | None = None
    cpu: float | None = None
    rss: int | None = None
    uptime: int | None = None
    age: float = 0.0


@dataclass(frozen=True)
class Address:
    """
    Where an internal port is.

    Attributes:
        host: a name or an IP address.
        port: the port.
    """

    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Address:
        """
        Read `host:port`, `host` alone, or a URL of which the rest does not count.

        Raises:
            InvalidAddress: it has another form.
        """
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port or _USUAL_PORT
        except ValueError as error:
            raise InvalidAddress(text) from error
        if parts.scheme != "http":
            raise InvalidAddress(text)
        return cls(parts.hostname or "127.0.0.1", port)

    def each(self) -> Sequence[Address]:
        """Return the addresses that the name stands for at this moment; none if it for none."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            return []
        return [Address(host, self.port) for host in dict.fromkeys(str(one[4][0]) for one in found)]

    def ask(self, method: str, path: str) -> tuple[int, str]:
        """
        Ask its port; return the status and the text.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_SECONDS)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def reported() -> list[GatewayRow]:
    """Return the gateways that hold a lease, with what each said last, by their names."""
    if not connection.in_atomic_block:
        # One that broke since; a command has no end of a request that would see to it.
        close_old_connections()
    leases = Lease.objects.filter(beat__gt=Now() - timedelta(seconds=LEASE_SECONDS))
    living = list(leases.order_by("gateway", "incarnation").values_list("incarnation", "gateway"))
    reports = Report.objects.filter(incarnation__in=[uid for uid, _ in living])
    told = {report.incarnation: report for report in reports.annotate(asked=Now())}
    return [_row(name, uid, told.get(uid)) for uid, name in living]


def _row(name: str, uid: str, report: Report | None) -> GatewayRow:
    if report is None:
        # It has just started.
        return GatewayRow(name, uid)
    items: Mapping[str, float] = report.items
    age = (report.asked - report.made).total_seconds()  # type: ignore[attr-defined]
    is_silent = age > LEASE_SECONDS
    seconds = max(report.interval, 1e-3)
    return GatewayRow(
        name=name,
        uid=uid,
        version=report.version,
        state="silent" if is_silent else "draining" if items.get("draining") else "up",
        connections=_whole(items.get("connections")),
        limit=_whole(items.get("connections_limit")),
        users=_whole(items.get("users")),
        rates={label: items.get(item, 0.0) / seconds for label, (item, _) in _RATES.items()},
        cpu=report.cpu,
        rss=report.rss,
        uptime=report.uptime,
        age=round(age, 1),
    )


@dataclass(frozen=True)
class _Sample:
    at: float
    values: Mapping[str, float]
    version: str


class Scraper:
    """Reads internal ports again and again; rates are of the time between two readings."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        """Take where the ports are; each name is looked up anew each time."""
        self._addresses = addresses
        self._last: dict[Address, _Sample] = {}

    def read(self) -> list[GatewayRow]:
        """Return a row for each address that a name stands for, or for the name itself."""
        places = [each for one in self._addresses for each in (one.each() or [one])]
        places = list(dict.fromkeys(places))
        with ThreadPoolExecutor(max(1, min(32, len(places)))) as pool:
            samples = dict(zip(places, pool.map(_scrape, places), strict=True))
        rows = [self._row(place, sample) for place, sample in samples.items()]
        self._last = {place: sample for place, sample in samples.items() if sample is not None}
        return sorted(rows, key=lambda row: row.name)

    def _row(self, place: Address, now: _Sample | None) -> GatewayRow:
        if now is None:
            return GatewayRow(str(place), state="away")
        before = self._last.get(place)
        value = now.values.get
        return GatewayRow(
            name=str(place),
            version=now.version,
            state="draining" if value("carillon_gateway_draining") else "up",
            connections=_whole(value("carillon_gateway_connections")),
            limit=_whole(value("carillon_gateway_connections_limit")),
            users=_whole(value("carillon_gateway_users")),
            rates=_since(before, now, {label: name for label, (_, name) in _RATES.items()}),
            cpu=None if before is None else 100 * _since(before, now, {"cpu": _CPU})["cpu"],
            rss=_whole(value(_RSS)),
            uptime=_whole(time.time() - value(_STARTED, time.time())),
        )


def _since(before: _Sample | None, now: _Sample, names: Mapping[str, str]) -> dict[str, float]:
    """Return by label how much counters grew in a second; nothing without a reading before."""
    if before is None:
        return {}
    seconds = max(now.at - before.at, 1e-3)
    # One that is smaller is another process's at the same address.
    return {
        label: max(0.0, now.values.get(name, 0.0) - before.values.get(name, 0.0)) / seconds
        for label, name in names.items()
    }


def _scrape(place: Address) -> _Sample | None:
    try:
        status, text = place.ask("GET", "/metrics")
    except (OSError, http.client.HTTPException):
        return None
    if status != http.HTTPStatus.OK:
        return None
    values: dict[str, float] = {}
    version = ""
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError:
        # Somebody else's port, who answers with a page.
        return None
    for family in families:
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
            if sample.name == "carillon_build_info":
                version = sample.labels.get("version", "")
    return _Sample(time.monotonic(), values, version)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
