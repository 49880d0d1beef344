"""Gateway: who is connected, what reaches them, how quickly, and what is in the way."""

from deploy.dashboards import common, delivery
from deploy.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Step, Unit
from deploy.dashboards.queries import mean, quantile, rate, series, total

__all__ = ["DASHBOARD"]

CONNECTIONS = Row(
    "Connections",
    (
        Panel(
            title="Connections",
            description="Open WebSocket connections.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_connections"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Fullest gateway",
            description="Connections of the fullest gateway as a share of its limit. It stops "
            "being ready at 95 %; scale at 80 %.",
            unit=Unit.SHARE,
            queries=[
                Query(
                    f"max({total('carillon_gateway_connections', 'job, instance')} / "
                    f"({total('carillon_gateway_connections_limit', 'job, instance')} > 0))"
                )
            ],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=(Step(0.8, "orange"), Step(0.95, "red")),
            most=1,
        ),
        Panel(
            title="Users",
            description="Users with a connection, counted at each gateway where they have one.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_users"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Channels",
            description="Channels with subscriptions, counted at each gateway that serves them.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_channels"))],
            kind=Kind.NUMBER,
            width=4,
            height=4,
        ),
        Panel(
            title="Draining",
            description="Gateways that send their clients away: a rollout, or somebody scales in.",
            unit=Unit.COUNT,
            queries=[Query(f"sum({series('carillon_gateway_draining')})")],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=(Step(1, "orange"),),
        ),
        Panel(
            title="Imbalance",
            description="Connections of the fullest gateway, divided by the average. New ones go "
            "where there are few; old ones stay where they are until a drain.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    f"max({total('carillon_gateway_connections', 'job, instance')}) / "
                    f"(avg({total('carillon_gateway_connections', 'job, instance')}) > 0)"
                )
            ],
            kind=Kind.NUMBER,
            width=4,
            height=4,
            steps=(Step(1.5, "orange"), Step(2, "red")),
        ),
        Panel(
            title="Connections by gateway",
            description="Open WebSocket connections, and how many there may be.",
            unit=Unit.COUNT,
            queries=[
                Query(total("carillon_gateway_connections", "instance"), "{{instance}}"),
                Query(f"max({series('carillon_gateway_connections_limit')})", "limit of each"),
            ],
        ),
        Panel(
            title="Opened and closed",
            description="Connections that came and went. Both high at once is churn: look at the "
            "close codes.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_connections_opened_total"), "opened"),
                Query(rate("carillon_gateway_connections_closed_total"), "closed"),
            ],
        ),
        Panel(
            title="Closed by code",
            description="1000, 1001, 1005: the client left. 1012, 3001: a drain. 1006: vanished. "
            "3008: too slow. 3012: no pong. 4501: signed out. 4503: suspended.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[Query(rate("carillon_gateway_connections_closed_total", "code"), "{{code}}")],
            is_stacked=True,
        ),
        Panel(
            title="How long connections lasted",
            description="Of those that ended. Minutes instead of hours mean that something in "
            "between cuts them.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(0.5, "carillon_gateway_connection_duration_seconds"), "50 %"),
                Query(quantile(0.95, "carillon_gateway_connection_duration_seconds"), "95 %"),
            ],
        ),
        Panel(
            title="Subscriptions",
            description="Subscriptions of connections to channels, by namespace.",
            unit=Unit.COUNT,
            queries=[Query(total("carillon_gateway_subscriptions", "kind"), "{{kind}}")],
            is_stacked=True,
        ),
        Panel(
            title="Round trip",
            description="From a ping to its pong. It is the clients' networks that are seen here.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(share, "carillon_gateway_ping_rtt_seconds"), f"{share:.0%}")
                for share in (0.5, 0.99)
            ],
        ),
    ),
)

HANDSHAKES = Row(
    "Handshakes",
    (
        Panel(
            title="Handshakes that were refused",
            description="origin: a page of another site. auth: nobody is signed in. capacity: the "
            "gateway is full, or the database away. protocol: no WebSocket. draining: it ends.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_handshakes_rejected_total", "reason"), "{{reason}}")
            ],
        ),
        Panel(
            title="Time to the greeting",
            description="From a handshake's arrival to the greeting, at plain endpoints.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    quantile(share, "carillon_gateway_handshake_duration_seconds"), f"{share:.0%}"
                )
                for share in common.QUANTILES
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Applications that were cancelled",
            description="stuck: took nothing for too long. lingering: did not end with its "
            "connection. Both are mistakes in a hook.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_applications_cancelled_total", "reason"), "{{reason}}")
            ],
            steps=(Step(0.1, "red"),),
        ),
    ),
)

MESSAGES = Row(
    "Messages and commands",
    (
        Panel(
            title="Messages from clients",
            description="By endpoint (a namespace, or `centrifuge`) and what they ask for.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[
                Query(
                    rate("carillon_gateway_messages_received_total", "kind, type"),
                    "{{kind}} {{type}}",
                )
            ],
            is_stacked=True,
        ),
        Panel(
            title="Publications to clients",
            description="Written to connections, one for each that heard it, by namespace.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[Query(rate("carillon_gateway_messages_sent_total", "kind"), "{{kind}}")],
            is_stacked=True,
        ),
        Panel(
            title="Publications that were dropped",
            description="Publications that a connection did not get, and why. It is closed, comes "
            "back and recovers them.",
            unit=Unit.MESSAGES_PER_SECOND,
            queries=[
                Query(
                    rate("carillon_gateway_messages_dropped_total", "kind, reason"),
                    "{{kind}} {{reason}}",
                )
            ],
            steps=(Step(1, "red"),),
        ),
        Panel(
            title="Bytes",
            description="Payload from clients and frames for them; without TLS and TCP.",
            unit=Unit.BYTES_PER_SECOND,
            queries=[
                Query(rate("carillon_gateway_received_bytes_total"), "from clients"),
                Query(rate("carillon_gateway_sent_bytes_total"), "to clients"),
            ],
        ),
        Panel(
            title="Bytes that wait",
            description="Bytes for clients that their sockets have not taken. It grows with slow "
            "networks, and is bounded for each connection.",
            unit=Unit.BYTES,
            queries=[Query(total("carillon_gateway_send_queue_bytes", "instance"), "{{instance}}")],
        ),
        Panel(
            title="Stored together",
            description="Publications of clients in one transaction, on average. More means that "
            "many speak at once in a channel, and is cheaper.",
            unit=Unit.COUNT,
            queries=[Query(mean("carillon_gateway_commit_publications"), "publications")],
        ),
        Panel(
            title="Time of commands",
            description="From a client's message to its commit, over all commands.",
            unit=Unit.SECONDS,
            queries=[
                Query(quantile(share, "carillon_gateway_command_duration_seconds"), f"{share:.0%}")
                for share in common.QUANTILES
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Time by command",
            description="From a client's message to its commit, 95 of 100, by command.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    quantile(0.95, "carillon_gateway_command_duration_seconds", "type"), "{{type}}"
                )
            ],
            steps=common.LATENCY_STEPS,
        ),
        Panel(
            title="Refused commands",
            description="By command and code: 103 permission denied, 107 bad request, 111 too "
            "many, 112 unrecoverable position; all in docs/protocol.md.",
            unit=Unit.EVENTS_PER_SECOND,
            queries=[
                Query(
                    rate("carillon_gateway_command_errors_total", "type, code"), "{{type}} {{code}}"
                )
            ],
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        Panel(
            title="Event loop, lateness",
            description="How late the event loop runs what is due. Above 250 ms everybody at this "
            "gateway waits: scale out.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    quantile(0.99, "carillon_gateway_event_loop_lag_seconds", "instance"),
                    "{{instance}}",
                )
            ],
            width=6,
            steps=(Step(0.05, "orange"), Step(0.25, "red")),
        ),
        Panel(
            title="CPU",
            description="Of one core. A gateway uses one; at 80 % scale out.",
            unit=Unit.SHARE,
            queries=[Query(rate("process_cpu_seconds_total", "instance"), "{{instance}}")],
            width=6,
            steps=(Step(0.8, "red"),),
        ),
        Panel(
            title="Memory",
            description="Resident memory of each gateway.",
            unit=Unit.BYTES,
            queries=[Query(total("process_resident_memory_bytes", "instance"), "{{instance}}")],
            width=6,
        ),
        Panel(
            title="Memory for each connection",
            description="Resident memory divided by connections. Of a gateway with few it is what "
            "the program itself takes.",
            unit=Unit.BYTES,
            queries=[
                Query(
                    f"{total('process_resident_memory_bytes', 'instance')} / "
                    f"({total('carillon_gateway_connections', 'instance')} > 0)",
                    "{{instance}}",
                )
            ],
            width=6,
        ),
        Panel(
            title="Open files",
            description="Share of the files that a gateway may open. Each connection takes one.",
            unit=Unit.SHARE,
            queries=[
                Query(
                    f"{total('process_open_fds', 'instance')} / "
                    f"{total('process_max_fds', 'instance')}",
                    "{{instance}}",
                )
            ],
            width=6,
            steps=(Step(0.8, "red"),),
            most=1,
        ),
        Panel(
            title="Quick writes",
            description="1 while frames go to sockets past Twisted's buffers; 0 is correct, but "
            "slower, and the log says why.",
            unit=Unit.COUNT,
            queries=[
                Query(f"min by (instance) ({series('carillon_gateway_fast_path')})", "{{instance}}")
            ],
            width=6,
            most=1,
        ),
        Panel(
            title="Rollout",
            description="Gateways by version. While two are there, one goes and the other comes.",
            unit=Unit.COUNT,
            queries=[
                Query(
                    "count by (version, revision) "
                    f"({series('carillon_build_info', common.GATEWAY)})",
                    "{{version}} {{revision}}",
                )
            ],
            width=6,
            is_stacked=True,
        ),
        Panel(
            title="Age",
            description="Since when each gateway runs. One that is always young is killed again "
            "and again.",
            unit=Unit.SECONDS,
            queries=[
                Query(
                    f"time() - max by (instance) ({series('process_start_time_seconds')})",
                    "{{instance}}",
                )
            ],
            width=6,
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="carillon-gateway",
    title="Carillon / Gateway",
    description="Who is connected, what reaches them, how quickly, and what is in the way?",
    rows=(
        CONNECTIONS,
        HANDSHAKES,
        MESSAGES,
        delivery.DELIVERY,
        delivery.RECOVERY,
        delivery.BELLS,
        PROCESS,
        common.shared_row(*common.pools()),
    ),
    services=common.GATEWAY,
)
