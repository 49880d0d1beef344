"""Overview: is it well, and if not, which part is it?"""

from deploy.dashboards import common
from deploy.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Step, Unit
from deploy.dashboards.queries import quantile, rate, ratio, series, total

__all__ = ["DASHBOARD"]

# Burning all of a budget at once is 1; what a month's budget holds is gone in two days at 14.4.
BURN_STEPS = (Step(1, "orange"), Step(14.4, "red"))


def burn(part: str, whole: str, budget: str) -> list[Query]:
    """Ask how much quicker than allowed a budget is spent, lately and over an hour."""
    return [
        Query(
            f"(({part} or vector(0)) / ({whole} > 0)) / {budget}".replace("$range", window),
            legend,
        )
        for window, legend in (("5m", "over 5 minutes"), ("1h", "over 1 hour"))
    ]


def increase(name: str, matchers: str = "") -> str:
    return f"sum(increase({series(name, matchers)}[$range]))"


# Other services know this metric, too, and have 0.
AWAY = series("carillon_gateway_broker_connected", 'job=~".+-gateway"')

DELIVERIES = increase("carillon_gateway_delivery_latency_seconds_count")
QUICK = increase("carillon_gateway_delivery_latency_seconds_bucket", 'le="1.0"')
REQUESTS = increase("carillon_http_requests_total")
BROKEN = increase("carillon_http_requests_total", 'status=~"5.."')

GLANCE = Row(
    "At a glance",
    (
        Panel(
            title="Connections",
            description="Open WebSocket connections at all gateways.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_connections"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Deliveries",
            description="Publications written to connections, one for each that heard it.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[Query(rate("carillon_gateway_messages_sent_total"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Delivery, 99th percentile",
            description="From a publication's stamp to the write to the first socket. Above one "
            "second for ten minutes an alert fires.",
            unit=Unit.SECONDS,
            queries=[Query(quantile(0.99, "carillon_gateway_delivery_latency_seconds"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Requests",
            description="HTTP requests that web has answered.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_http_requests_total"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Requests that failed",
            description="Share of HTTP answers that say the fault is ours (5xx).",
            unit=Unit.SHARE,
            queries=[
                Query(
                    ratio(
                        rate("carillon_http_requests_total", matchers='status=~"5.."'),
                        rate("carillon_http_requests_total"),
                    )
                )
            ],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=(Step(0.001, "orange"), Step(0.01, "red")),
            most=1,
        ),
        Panel(
            title="Alerts that fire",
            description="Carillon's own alerts, whatever is chosen above; the runbook has a "
            "chapter for each.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    'count(ALERTS{alertname=~"Carillon.+",alertstate="firing"}) or vector(0)',
                )
            ],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=(Step(1, "red"),),
        ),
    ),
)

OBJECTIVES = Row(
    "Objectives",
    (
        Panel(
            title="Budget of slow deliveries",
            description="99 % of deliveries take less than a second. 1 is a budget that is spent "
            "exactly; at 14.4 a month's is gone in two days.",
            unit=Unit.COUNT,
            queries=burn(f"({DELIVERIES} - {QUICK})", DELIVERIES, "0.01"),
            steps=BURN_STEPS,
        ),
        Panel(
            title="Budget of failed requests",
            description="99.9 % of HTTP answers are no 5xx. 1 is a budget that is spent exactly; "
            "at 14.4 a month's is gone in two days.",
            unit=Unit.COUNT,
            queries=burn(BROKEN, REQUESTS, "0.001"),
            steps=BURN_STEPS,
        ),
        Panel(
            title="What runs",
            description="Processes by build. Two versions of one service are a rollout under way.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    "count by (service, version, revision, python) "
                    f"({series('carillon_build_info')})"
                )
            ],
            kind=Kind.TABLE,
        ),
    ),
)

GATEWAYS = Row(
    "Gateways",
    (
        Panel(
            title="Connections by gateway",
            description="Open WebSocket connections. They should be about as many everywhere.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_connections", "instance"), "{{instance}}")],
            width=6,
        ),
        Panel(
            title="Connections that ended badly",
            description="Not by the client's wish (1000, 1001, 1005) and not by a drain (1012, "
            "3001). 1006 is a peer that vanished, 3008 a slow one, 3012 one without a pong.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(
                    rate(
                        "carillon_gateway_connections_closed_total",
                        "code",
                        'code!~"1000|1001|1005|1012|3000|3001"',
                    ),
                    "{{code}}",
                )
            ],
            width=6,
        ),
        Panel(
            title="Publications that were dropped",
            description="Publications that a connection did not get. It is closed and recovers; "
            "still, somebody's network or our queue is too slow.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_messages_dropped_total", "reason"), "{{reason}}")
            ],
            width=6,
            steps=(Step(1, "red"),),
        ),
        Panel(
            title="Gateways without bells",
            description="Gateways that RabbitMQ's bells do not reach now. They deliver through "
            "the log, seconds later.",
            unit=Unit.COUNT,
            queries=[Query(f"count({AWAY} == 0) or vector(0)")],
            width=6,
            steps=(Step(1, "red"),),
        ),
    ),
)

WEB = Row(
    "Web and API",
    (
        Panel(
            title="Requests by status",
            description="HTTP answers by their status.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_http_requests_total", "status"), "{{status}}")],
            is_stacked=True,
        ),
        Panel(
            title="Time to answer",
            description="Half, and 95 of 100, requests are answered within this.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(0.5, "carillon_http_request_duration_seconds"), "50 %"),
                Query(quantile(0.95, "carillon_http_request_duration_seconds"), "95 %"),
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Publications",
            description="Publications that were committed to the log, by namespace.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[Query(rate("carillon_publishes_total", "kind"), "{{kind}}")],
            is_stacked=True,
        ),
    ),
)

WORKERS = Row(
    "Workers and jobs",
    (
        Panel(
            title="Tasks",
            description="Finished tasks by how they ended.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_task_runs_total", "state"), "{{state}}")],
            width=6,
        ),
        Panel(
            title="Jobs",
            description="Bulk jobs that have not ended, by state.",
            unit=Unit.COUNT,
            queries=[Query(common.NEWEST_JOBS, "{{state}}")],
            width=6,
        ),
        Panel(
            title="Recipients",
            description="Recipients of bulk jobs by what became of them.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_fanout_recipients_total", "result"), "{{result}}")],
            width=6,
            is_stacked=True,
        ),
        common.queues(width=6),
    ),
)

SERVERS = Row(
    "Servers below",
    (
        Panel(
            title="Time to hand a bell over",
            description="From handing a bell to RabbitMQ to its confirm, 99 of 100.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    quantile(0.99, "carillon_broker_publish_duration_seconds", "service"),
                    "{{service}}",
                )
            ],
            width=6,
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="RabbitMQ's alarms",
            description="While one is set, RabbitMQ takes nothing: bells and tasks wait or are "
            "left to the log.",
            unit=Unit.STATE,
            queries=[
                Query(
                    f"max({series(f'rabbitmq_alarms_{name}', '', common.RABBITMQ)})",
                    legend,
                )
                for name, legend in (
                    ("memory_used_watermark", "memory"),
                    ("free_disk_space_watermark", "disk"),
                    ("file_descriptor_limit", "files"),
                )
            ],
            kind=Kind.STATES,
            width=6,
        ),
        Panel(
            title="Oldest snapshot",
            description="Since when the oldest transaction of the database runs. Above a minute "
            "dead rows pile up and each read gets slower.",
            unit=Unit.SECONDS,
            queries=[Query(f"max({series('carillon_db_oldest_snapshot_age_seconds')})")],
            width=6,
            steps=(Step(60, "red"),),
        ),
        Panel(
            title="PostgreSQL and nginx",
            description="Sessions of PostgreSQL and connections of nginx, where their exporters "
            "are scraped.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    f"sum({series('pg_stat_activity_count', '', common.POSTGRESQL)})", "PostgreSQL"
                ),
                Query(f"sum({series('nginx_connections_active', '', common.NGINX)})", "nginx"),
            ],
            width=6,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="carillon-overview",
    title="Carillon / Overview",
    description="Is it well, and if not, which part is it?",
    rows=(GLANCE, OBJECTIVES, GATEWAYS, WEB, WORKERS, SERVERS),
    others=common.EXPORTERS,
)
