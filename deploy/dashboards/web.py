"""Web and API: what people and servers ask for, how quickly, and what they are refused."""

from deploy.dashboards import common
from deploy.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Step, Unit
from deploy.dashboards.queries import quantile, rate, ratio, series, total

__all__ = ["DASHBOARD"]

REQUESTS = Row(
    "Requests",
    (
        Panel(
            title="Requests",
            description="HTTP requests that were answered.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_http_requests_total"))],
            kind=Kind.NUMBER,
            width=6,
            height=4,
        ),
        Panel(
            title="Failed",
            description="Share of answers that say the fault is ours (5xx).",
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
            width=6,
            height=4,
            steps=(Step(0.001, "orange"), Step(0.01, "red")),
            most=1,
        ),
        Panel(
            title="Refused",
            description="Share of answers that say the fault is the caller's (4xx). It grows when "
            "somebody tries keys or passwords, or a client is wrong.",
            unit=Unit.SHARE,
            queries=[
                Query(
                    ratio(
                        rate("carillon_http_requests_total", matchers='status=~"4.."'),
                        rate("carillon_http_requests_total"),
                    )
                )
            ],
            kind=Kind.NUMBER,
            width=6,
            height=4,
            steps=(Step(0.1, "orange"),),
            most=1,
        ),
        Panel(
            title="In progress",
            description="Requests that are being answered now. All threads busy is where the next "
            "ones wait.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_http_requests_in_progress"))],
            kind=Kind.NUMBER,
            width=6,
            height=4,
        ),
        Panel(
            title="Requests by status",
            description="HTTP answers by their status.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_http_requests_total", "status"), "{{status}}")],
            is_stacked=True,
        ),
        Panel(
            title="Requests by route",
            description="The ten routes that are asked most. Paths that lead nowhere are one "
            "route, `unknown`.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[
                Query(
                    f"topk(10, {rate('carillon_http_requests_total', 'method, route')})",
                    "{{method}} {{route}}",
                )
            ],
        ),
        Panel(
            title="Failures by route",
            description="Answers that say the fault is ours (5xx), by route.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[
                Query(
                    rate("carillon_http_requests_total", "method, route", 'status=~"5.."'),
                    "{{method}} {{route}}",
                )
            ],
            steps=(Step(0.1, "red"),),
        ),
        Panel(
            title="Time to answer",
            description="Over all routes.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(share, "carillon_http_request_duration_seconds"), f"{share:.0%}")
                for share in (0.5, 0.95, 0.99)
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Slowest routes",
            description="The ten routes with the longest time to answer, 95 of 100.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    "topk(10, "
                    + quantile(0.95, "carillon_http_request_duration_seconds", "method, route")
                    + " > 0)",
                    "{{method}} {{route}}",
                )
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Busiest routes",
            description="Threads that each route keeps busy, on average: rate times duration.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    "topk(10, "
                    + rate("carillon_http_request_duration_seconds_sum", "method, route")
                    + ")",
                    "{{method}} {{route}}",
                )
            ],
        ),
    ),
)

CALLERS = Row(
    "Callers of the API",
    (
        Panel(
            title="Callers that nobody knows",
            description="API requests without a session, without its CSRF token, or with a key "
            "that is unknown or revoked.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_auth_failures_total", "method"), "{{method}}")],
        ),
        Panel(
            title="Too many writes",
            description="Writes that were refused with 429, by what they would have made.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_rate_limited_total", "scope"), "{{scope}}")],
        ),
        Panel(
            title="Tokens",
            description="Tokens for the client protocol that were asked for, by what came of it.",
            unit=Unit.REQUESTS_PER_SECOND,
            queries=[Query(rate("carillon_tokens_issued_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Notifications",
            description="Recipients of notifications by what became of them, bulk jobs excepted.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_notifications_created_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Processes",
            description="Instances of web by version.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    f"count by (version, revision) ({series('carillon_build_info', common.WEB)})",
                    "{{version}} {{revision}}",
                )
            ],
            is_stacked=True,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="carillon-web",
    title="Carillon / Web and API",
    description="What do people and servers ask for, how quickly do they get it, what are they "
    "refused?",
    rows=(REQUESTS, CALLERS, common.shared_row(*common.pools())),
    services=common.WEB,
)
