"""Metrics of a gateway."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "APPLICATIONS_CANCELLED",
    "BROKER_CONNECTED",
    "BROKER_MESSAGES_RECEIVED",
    "BROKER_RECONNECTS",
    "CHANNELS",
    "COMMAND_DURATION",
    "COMMAND_ERRORS",
    "COMMIT_PUBLICATIONS",
    "CONNECTIONS",
    "CONNECTIONS_CLOSED",
    "CONNECTIONS_LIMIT",
    "CONNECTIONS_OPENED",
    "CONNECTION_DURATION",
    "DELIVERY_LATENCY",
    "DRAINING",
    "EVENT_LOOP_LAG",
    "FAST_PATH",
    "GAPS",
    "GAP_REPAIR_DURATION",
    "HANDSHAKES_REJECTED",
    "HANDSHAKE_DURATION",
    "HEAD_CHECKS",
    "LAYER_REPLACEMENTS",
    "MESSAGES_DROPPED",
    "MESSAGES_RECEIVED",
    "MESSAGES_SENT",
    "PING_RTT",
    "RECEIVED_BYTES",
    "RECOVERED_MESSAGES",
    "RECOVERIES",
    "RECOVERY_READS",
    "SEND_QUEUE_BYTES",
    "SENT_BYTES",
    "SUBSCRIPTIONS",
    "USERS",
    "start_gateway_at_zero",
]

CONNECTIONS = Gauge(
    "carillon_gateway_connections",
    "Open WebSocket connections.",
    ["transport"],
    multiprocess_mode="livesum",
)
CONNECTIONS_LIMIT = Gauge(
    "carillon_gateway_connections_limit",
    "How many connections may be open at once; 0 where nothing but the system limits them.",
    multiprocess_mode="livesum",
)
USERS = Gauge(
    "carillon_gateway_users",
    "Users with a connection, open or being opened.",
    multiprocess_mode="livesum",
)
CONNECTIONS_OPENED = Counter(
    "carillon_gateway_connections_opened_total", "Accepted handshakes.", ["transport"]
)
CONNECTIONS_CLOSED = Counter(
    "carillon_gateway_connections_closed_total",
    "Ended connections by close code.",
    ["transport", "code"],
)
CONNECTION_DURATION = Histogram(
    "carillon_gateway_connection_duration_seconds",
    "How long accepted connections lasted.",
    buckets=(1, 10, 60, 300, 1800, 3600, 14400, 86400),
)
APPLICATIONS_CANCELLED = Counter(
    "carillon_gateway_applications_cancelled_total",
    "Applications of connections that took nothing for too long, or did not end with theirs.",
    ["reason"],
)
HANDSHAKES_REJECTED = Counter(
    "carillon_gateway_handshakes_rejected_total", "Refused handshakes.", ["reason"]
)
HANDSHAKE_DURATION = Histogram(
    "carillon_gateway_handshake_duration_seconds",
    "From the handshake's arrival to the greeting.",
)
CHANNELS = Gauge(
    "carillon_gateway_channels",
    "Channels with local subscriptions.",
    ["kind"],
    multiprocess_mode="livesum",
)
SUBSCRIPTIONS = Gauge(
    "carillon_gateway_subscriptions",
    "Local subscriptions.",
    ["kind"],
    multiprocess_mode="livesum",
)
MESSAGES_RECEIVED = Counter(
    "carillon_gateway_messages_received_total", "Messages from clients.", ["kind", "type"]
)
MESSAGES_SENT = Counter(
    "carillon_gateway_messages_sent_total", "Publications written to connections.", ["kind"]
)
MESSAGES_DROPPED = Counter(
    "carillon_gateway_messages_dropped_total",
    "Publications a connection did not get, and why.",
    ["kind", "reason"],
)
COMMAND_DURATION = Histogram(
    "carillon_gateway_command_duration_seconds",
    "From a client's message to its commit.",
    ["type"],
)
COMMAND_ERRORS = Counter(
    "carillon_gateway_command_errors_total", "Refused client messages.", ["type", "code"]
)
COMMIT_PUBLICATIONS = Histogram(
    "carillon_gateway_commit_publications",
    "Publications of clients that were stored together, for namespaces that can do so.",
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
DELIVERY_LATENCY = Histogram(
    "carillon_gateway_delivery_latency_seconds",
    "From the publication's stamp to the write to the first socket.",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RECOVERIES = Counter(
    "carillon_gateway_recoveries_total", "Catch-ups of returning clients.", ["result"]
)
RECOVERED_MESSAGES = Histogram(
    "carillon_gateway_recovered_messages",
    "Publications given to one returning client.",
    buckets=(0, 1, 5, 10, 50, 100, 500, 1000),
)
RECOVERY_READS = Counter(
    "carillon_gateway_recovery_reads_total",
    "Catch-ups in a channel that had its log read, and those that shared such a read.",
    ["result"],
)
HEAD_CHECKS = Counter(
    "carillon_gateway_head_checks_total", "Channels compared with the log.", ["result"]
)
GAPS = Counter("carillon_gateway_gaps_total", "Holes found in a channel's deliveries.", ["cause"])
GAP_REPAIR_DURATION = Histogram(
    "carillon_gateway_gap_repair_duration_seconds", "From finding a hole to having filled it."
)
RECEIVED_BYTES = Counter(
    "carillon_gateway_received_bytes_total", "Bytes of messages from clients, without framing."
)
SENT_BYTES = Counter(
    "carillon_gateway_sent_bytes_total", "Bytes of frames for clients, by groups or one by one."
)
SEND_QUEUE_BYTES = Gauge(
    "carillon_gateway_send_queue_bytes",
    "Bytes for clients that their sockets have not taken yet.",
    multiprocess_mode="livesum",
)
PING_RTT = Histogram(
    "carillon_gateway_ping_rtt_seconds",
    "From a ping to its pong.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8),
)
FAST_PATH = Gauge(
    "carillon_gateway_fast_path",
    "1 while frames go to sockets past Twisted's buffers.",
    multiprocess_mode="livemostrecent",
)
DRAINING = Gauge(
    "carillon_gateway_draining",
    "1 once the gateway sends its clients away.",
    multiprocess_mode="livemostrecent",
)
BROKER_CONNECTED = Gauge(
    "carillon_gateway_broker_connected",
    "1 while bells reach this gateway through RabbitMQ.",
    multiprocess_mode="livemostrecent",
)
BROKER_MESSAGES_RECEIVED = Counter(
    "carillon_gateway_broker_messages_received_total", "Events heard from the layer.", ["kind"]
)
BROKER_RECONNECTS = Counter(
    "carillon_gateway_broker_reconnects_total", "Times that bells came back after they did not."
)
LAYER_REPLACEMENTS = Counter(
    "carillon_gateway_layer_replacements_total", "Channel layers replaced because they were deaf."
)
EVENT_LOOP_LAG = Histogram(
    "carillon_gateway_event_loop_lag_seconds",
    "How late the event loop runs what is due.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


def start_gateway_at_zero(kinds: Sequence[str], codes: Sequence[int] = ()) -> None:
    """
    Make a gateway's labelled series exist before their first event, so that rates see it.

    Args:
        kinds: the registered namespaces.
        codes: the close codes that have series of their own.
    """
    for kind in kinds:
        for series in (CHANNELS, SUBSCRIPTIONS, MESSAGES_SENT, DELIVERY_LATENCY):
            series.labels(kind=kind)
        MESSAGES_DROPPED.labels(kind=kind, reason="slow_consumer")
    # Clients of the Centrifuge protocol are too slow for all that they hear.
    MESSAGES_DROPPED.labels(kind="centrifuge", reason="slow_consumer")
    for code in (*codes, "other"):
        CONNECTIONS_CLOSED.labels(transport="websocket", code=str(code))
    for reason in ("origin", "auth", "capacity", "protocol", "draining"):
        HANDSHAKES_REJECTED.labels(reason=reason)
    for reason in ("stuck", "lingering"):
        APPLICATIONS_CANCELLED.labels(reason=reason)
    for result in ("current", "behind", "error"):
        HEAD_CHECKS.labels(result=result)
    for cause in ("early", "foreign", "subscribe", "head_check", "epoch", "trimmed"):
        GAPS.labels(cause=cause)
    for result in ("recovered", "empty", "gap"):
        RECOVERIES.labels(result=result)
    for result in ("read", "shared"):
        RECOVERY_READS.labels(result=result)
    for kind in ("bell", "fan_out", "probe", "malformed"):
        BROKER_MESSAGES_RECEIVED.labels(kind=kind)
    for transport in (CONNECTIONS, CONNECTIONS_OPENED):
        transport.labels(transport="websocket")
