"""What more than one dashboard shows."""

from collections.abc import Mapping

from deploy.dashboards.panels import Panel, Query, Row, Step, Unit
from deploy.dashboards.queries import quantile, rate, series, total

__all__ = [
    "EXPORTERS",
    "GATEWAY",
    "LATENCY_STEPS",
    "NEWEST_JOBS",
    "NGINX",
    "POSTGRESQL",
    "QUANTILES",
    "RABBITMQ",
    "WEB",
    "WORKERS",
    "depth",
    "pools",
    "queues",
    "shared_row",
]

# As of the alert on deliveries.
LATENCY_STEPS = (Step(0.25, "orange"), Step(1, "red"))
QUANTILES = (0.5, 0.95, 0.99)

# Whose build it is.
GATEWAY, WEB, WORKERS = 'service="gateway"', 'service="web"', 'service=~"worker|beat"'

# Servers beside Carillon, by the variable that chooses among their jobs.
EXPORTERS: Mapping[str, str] = {
    "rabbitmq": "rabbitmq_alarms_memory_used_watermark",
    "postgresql": "pg_stat_activity_count",
    "nginx": "nginx_connections_active",
}
RABBITMQ, POSTGRESQL, NGINX = (f'job=~"${name}"' for name in EXPORTERS)

# Each worker that sweeps counts all jobs, so the most is what there is, and a sum would be double.
NEWEST_JOBS = f"max by (state) ({series('carillon_fanout_jobs')})"


def depth(name: str, matchers: str, by: str = "") -> str:
    """Sum a count of messages over queues, from whichever of RabbitMQ's pages is scraped."""
    detailed = series(f"rabbitmq_detailed_{name}", matchers, RABBITMQ)
    per_object = series(f"rabbitmq_{name}", matchers, RABBITMQ)
    return f"sum{f' by ({by})' if by else ''} ({detailed} or {per_object})"


def queues(width: int) -> Panel:
    """Show what waits in RabbitMQ."""
    ours = r'queue=~"carillon[.].+",queue!="carillon.dead_letters"'
    return Panel(
        title="Tasks that wait",
        description="Messages in Carillon's queues that no worker has taken yet.",
        unit=Unit.COUNT,
        queries=[Query(depth("queue_messages_ready", ours, "queue"), "{{queue}}")],
        width=width,
    )


def shared_row(*more: Panel) -> Row:
    """Show what every service does alike: publish, ring, ask the database."""
    return Row(
        "Log, bell and database",
        (
            Panel(
                title="Publications by namespace",
                description="Publications that this service committed to the log, or passed on "
                "where a channel keeps none.",
                unit=Unit.MESSAGES_PER_SECOND,
                queries=[
                    Query(rate("carillon_publishes_total", "kind, result"), "{{kind}} {{result}}")
                ],
            ),
            Panel(
                title="Time to commit a publication",
                description="From the call of publish to the committed transaction, 95 of 100.",
                unit=Unit.SECONDS,
                queries=[
                    Query(quantile(0.95, "carillon_publish_duration_seconds", "kind"), "{{kind}}")
                ],
                steps=LATENCY_STEPS,
            ),
            Panel(
                title="Time to ring",
                description="From handing a bell to RabbitMQ to its confirm, 99 of 100.",
                unit=Unit.SECONDS,
                queries=[Query(quantile(0.99, "carillon_broker_publish_duration_seconds"), "99 %")],
                steps=LATENCY_STEPS,
            ),
            Panel(
                title="Bells that did not ring",
                description="Publications whose bell did not go out, which the head check "
                "delivers, and tasks that were not sent.",
                unit=Unit.EVENTS_PER_SECOND,
                queries=[
                    Query(rate("carillon_broker_publish_errors_total", "reason"), "{{reason}}")
                ],
                steps=(Step(0.1, "red"),),
            ),
            Panel(
                title="Lost deadlocks",
                description="Transactions that were repeated because they lost a deadlock. Now "
                "and then is no harm.",
                unit=Unit.EVENTS_PER_SECOND,
                queries=[Query(rate("carillon_deadlock_retries_total"), "retries")],
            ),
            *more,
        ),
    )


def pools() -> tuple[Panel, ...]:
    """Show the pools of database connections; a worker's process has one, and none of these."""
    return (
        Panel(
            title="Database connections",
            description="Connections of the pools by state, and how many there may be. Where all "
            "are used the next query waits.",
            unit=Unit.COUNT,
            queries=[
                Query(total("carillon_db_pool_connections", "state"), "{{state}}"),
                Query(total("carillon_db_pool_connections_limit"), "limit"),
                Query(total("carillon_db_pool_requests_waiting"), "threads that wait"),
            ],
        ),
        Panel(
            title="Waited in vain",
            description="Threads that got no database connection in time. Whoever asked is told "
            "to come again.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_db_pool_timeouts_total"), "in vain")],
            steps=(Step(0.1, "red"),),
        ),
    )
