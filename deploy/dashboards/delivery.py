"""Rows of the gateway's page about the way from the log to sockets: how quick, by bell or later."""

from deploy.dashboards import common
from deploy.dashboards.panels import Kind, Panel, Query, Row, Unit
from deploy.dashboards.queries import mean, quantile, rate, series

__all__ = ["BELLS", "DELIVERY", "RECOVERY"]

DELIVERY = Row(
    "Delivery",
    (
        Panel(
            title="Time to deliver, as it spreads",
            description="From a publication's stamp to the write to the first socket: how many "
            "took how long. Two bands mean two kinds of ways, such as bell and log.",
            unit=Unit.SECONDS,
            queries=[
                Query(rate("carillon_gateway_delivery_latency_seconds_bucket", "le"), "{{le}}")
            ],
            kind=Kind.HEATMAP,
            width=12,
            height=8,
        ),
        Panel(
            title="Time to deliver",
            description="From a publication's stamp to the write to the first socket.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(share, "carillon_gateway_delivery_latency_seconds"), f"{share:.0%}")
                for share in common.QUANTILES
            ],
            width=6,
            height=8,
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Time to deliver by namespace",
            description="From a publication's stamp to the write to the first socket, 99 of 100.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    quantile(0.99, "carillon_gateway_delivery_latency_seconds", "kind"), "{{kind}}"
                )
            ],
            width=6,
            height=8,
            steps=common.LATENCY_STEPS,
        ),
    ),
)

RECOVERY = Row(
    "Recovery and repair",
    (
        Panel(
            title="Clients that came back",
            description="recovered: got what they had missed. empty: had missed nothing. gap: "
            "must read history, as what they missed is no longer in the log.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_gateway_recoveries_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Missed by one client",
            description="Publications given to one returning client, on average and 95 of 100.",
            unit=Unit.COUNT,
            queries=[
                Query(mean("carillon_gateway_recovered_messages"), "average"),
                Query(quantile(0.95, "carillon_gateway_recovered_messages"), "95 %"),
            ],
        ),
        Panel(
            title="Reads of the log",
            description="Catch-ups that had the log read, and those that shared such a read: a "
            "crowd that comes back at once reads little.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_gateway_recovery_reads_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Head checks",
            description="Channels compared with the log. behind: a bell was lost, and what it "
            "would have said is delivered now. error: the database did not answer.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_gateway_head_checks_total", "result"), "{{result}}")],
        ),
        Panel(
            title="Holes that were filled",
            description="By how they were found. early: a bell overtook another. head_check: a "
            "bell was lost. epoch, trimmed: readers were told to start anew.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_gateway_gaps_total", "cause"), "{{cause}}")],
        ),
        Panel(
            title="Time to fill a hole",
            description="From finding a hole to having filled it, 95 of 100.",
            unit=Unit.SECONDS,
            queries=[Query(quantile(0.95, "carillon_gateway_gap_repair_duration_seconds"), "95%")],
            steps=common.LATENCY_STEPS,
        ),
    ),
)

BELLS = Row(
    "Bells",
    (
        Panel(
            title="Bells reach it",
            description="Whether RabbitMQ's bells reach each gateway: 1 yes, 0 no. Without them "
            "the head check delivers, seconds later.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    f"min by (instance) ({series('carillon_gateway_broker_connected')})",
                    "{{instance}}",
                )
            ],
            most=1,
        ),
        Panel(
            title="Heard from RabbitMQ",
            description="Bells, and each gateway's probes of itself, twice a second.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_broker_messages_received_total", "kind"), "{{kind}}")
            ],
        ),
        Panel(
            title="Lost and found again",
            description="Times that bells came back, and layers that were replaced because they "
            "were deaf.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_broker_reconnects_total"), "bells came back"),
                Query(rate("carillon_gateway_layer_replacements_total"), "layer replaced"),
            ],
        ),
    ),
)
