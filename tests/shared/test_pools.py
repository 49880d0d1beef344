"""What a pool of connections says of itself, as metrics."""

from __future__ import annotations

from prometheus_client import REGISTRY
from psycopg_pool import ConnectionPool

from shared.telemetry.pools import PoolMeter


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"carillon_db_pool_{name}", labels) or 0.0


def test_a_pool_that_was_not_opened() -> None:
    """Its own account has all that is asked for: how many it may have, and that it has none."""
    PoolMeter().measure(ConnectionPool(open=False, min_size=1, max_size=7).get_stats())
    assert value("connections_limit") == 7
    assert value("connections", state="idle") == 0


def test_a_busy_pool() -> None:
    """What is not idle is used; who waits is told."""
    stats = {"pool_max": 4, "pool_size": 3, "pool_available": 1, "requests_waiting": 2}
    PoolMeter().measure(stats)
    assert value("connections", state="used") == 2
    assert value("connections", state="idle") == 1
    assert value("requests_waiting") == 2


def test_who_waited_in_vain() -> None:
    """It is counted once, and on from zero where the pool was made anew."""
    stats = {"pool_max": 4, "pool_size": 4, "pool_available": 0, "requests_waiting": 0}
    meter, before = PoolMeter(), value("timeouts_total")
    for failed in (0, 3, 3, 5, 1):
        meter.measure(stats | {"requests_errors": failed})
    assert value("timeouts_total") - before == 6
