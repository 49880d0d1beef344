"""A Prometheus that scrapes a running stack, and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpx

from deploy.stack.programs import PROMETHEUS, install
from deploy.stack.prometheus import port, prometheus
from tests.servers import RunningStack

__all__ = ["SCRAPE_SECONDS", "Prometheus", "Series", "watched"]

SCRAPE_SECONDS = 1

# In place of Carillon's own, of which a busy machine may fire one: two that always do.
RULES = {
    "groups": [
        {
            "name": "tried",
            "rules": [
                {"alert": name, "expr": "vector(1)"} for name in ("CarillonTried", "OthersTried")
            ],
        }
    ]
}

type Labels = Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """One line of an answer."""

    labels: Labels
    value: float


class Prometheus:
    """The HTTP API of one."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=10)

    def query(self, expression: str, at: float) -> list[Series]:
        """Evaluate at a moment; series without a number are left out, as Grafana does."""
        answer = self._http.post("/api/v1/query", data={"query": expression, "time": str(at)})
        assert answer.is_success, f"{expression}\n{answer.text}"
        result = answer.json()["data"]["result"]
        found = [Series(each["metric"], float(each["value"][1])) for each in result]
        return [each for each in found if not math.isnan(each.value)]

    def label_values(self, selector: str, label: str) -> list[str]:
        """Return a label's values among the series of a selector."""
        path = f"/api/v1/label/{label}/values"
        answer = self._http.get(path, params={"match[]": selector})
        assert answer.is_success, answer.text
        return list(answer.json()["data"])

    def value(self, expression: str) -> float | None:
        """Evaluate now; None without a value."""
        found = self.query(expression, time.time())
        return found[0].value if found else None

    async def until(self, expression: str, holds: Callable[[float], bool]) -> None:
        """Wait until the value of an expression, 0 where it has none, is as wanted."""
        async with asyncio.timeout(30):
            while not holds(self.value(expression) or 0):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def rest(self, without: str = "") -> float:
        """
        Wait until everybody was scraped after this moment; return when that was.

        A machine that is busy may answer too late: then it is the next scrape that counts.

        Args:
            without: an instance that is not waited for, as it has ended.
        """
        since = time.time()
        all_of_them = f'{{instance!="{without}"}}'
        everybody = f"min(timestamp(up{all_of_them})) * min(up{all_of_them})"
        await self.until(everybody, lambda scraped: scraped > since)
        return time.time()


@contextlib.asynccontextmanager
async def watched(stack: RunningStack) -> AsyncIterator[Prometheus]:
    """Run a Prometheus beside a stack; yields it when everybody was scraped."""
    await asyncio.to_thread(install, PROMETHEUS)
    plain = stack.stack
    rules = plain.layout.state / "alerts.json"
    rules.write_text(json.dumps(RULES))
    service = prometheus(
        plain.layout,
        {"PATH": "/usr/bin:/bin"},
        list(stack.gateways),
        seconds=SCRAPE_SECONDS,
        rules=[rules],
    )
    try:
        await asyncio.to_thread(plain.supervisor.up, [service])
        found = Prometheus(f"http://127.0.0.1:{port(plain.layout)}")
        await found.rest()
        yield found
    finally:
        await asyncio.to_thread(plain.stop, service.name)
