"""
Every metric of every service, by subsystem.

Names have the prefix `carillon_`, base units and `_total` on counters. Labels come from closed
sets: `kind` is a registered namespace's name, `code`, `reason`, `result`, `state` and `type` are
values of enums. Never a user, a channel or an address. In forking services (gunicorn, Celery)
each gauge's multiprocess mode says how the processes' values become one.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

# -- every service --

BUILD_INFO = Gauge(
    "carillon_build_info",
    "Always 1; the labels say which build runs as which service.",
    ["version", "revision", "python", "service"],
    multiprocess_mode="livemostrecent",
)
PUBLISHES = Counter("carillon_publishes_total", "Publications by outcome.", ["kind", "result"])
PUBLISH_DURATION = Histogram(
    "carillon_publish_duration_seconds",
    "From the call of publish to the committed transaction.",
    ["kind"],
)
BROKER_PUBLISH_DURATION = Histogram(
    "carillon_broker_publish_duration_seconds",
    "From handing a bell to RabbitMQ to its confirm.",
    ["service"],
)
BROKER_PUBLISH_ERRORS = Counter(
    "carillon_broker_publish_errors_total",
    "Publications whose bell did not go out, which the head check delivers; tasks not sent.",
    ["service", "reason"],
)
DEADLOCK_RETRIES = Counter(
    "carillon_deadlock_retries_total", "Transactions repeated because they lost a deadlock."
)

NOTIFICATIONS_CREATED = Counter(
    "carillon_notifications_created_total",
    "Recipients of notifications by what became of them.",
    ["result"],
)

# -- gateway --

CONNECTIONS = Gauge(
    "carillon_gateway_connections",
    "Open WebSocket connections.",
    ["transport"],
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
LAYER_REPLACEMENTS = Counter(
    "carillon_gateway_layer_replacements_total", "Channel layers replaced because they were deaf."
)
EVENT_LOOP_LAG = Histogram(
    "carillon_gateway_event_loop_lag_seconds",
    "How late the event loop runs what is due.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5),
)

# -- web --

HTTP_REQUESTS = Counter(
    "carillon_http_requests_total", "Answered requests.", ["method", "route", "status"]
)
HTTP_REQUEST_DURATION = Histogram(
    "carillon_http_request_duration_seconds", "Time to answer.", ["method", "route"]
)
HTTP_REQUESTS_IN_PROGRESS = Gauge(
    "carillon_http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum"
)
AUTH_FAILURES = Counter(
    "carillon_auth_failures_total", "API requests that did not say who asks.", ["method"]
)
RATE_LIMITED = Counter(
    "carillon_rate_limited_total", "API writes refused because there were too many.", ["scope"]
)

# -- worker --

WORKER_PROBE = Gauge(
    "carillon_worker_probe_timestamp_seconds",
    "When a worker last took a task from the broker: the probe task, twice a minute, at least.",
    multiprocess_mode="max",
)
TASK_RUNS = Counter("carillon_task_runs_total", "Finished tasks.", ["task", "state"])
TASK_DURATION = Histogram("carillon_task_duration_seconds", "Time a task ran.", ["task"])
TASK_QUEUE_WAIT = Histogram(
    "carillon_task_queue_wait_seconds",
    "From sending a task to its start, by the clocks of two machines.",
    ["queue"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
TASKS_IN_PROGRESS = Gauge(
    "carillon_tasks_in_progress", "Tasks running.", ["queue"], multiprocess_mode="livesum"
)
STREAMS_TRIMMED = Counter(
    "carillon_streams_trimmed_total", "Publications removed by retention.", ["kind"]
)

# -- bulk jobs --

# Counted by whichever worker process sweeps: the newest value is the true one, a maximum over
# processes would keep what another saw long ago.
FANOUT_JOBS = Gauge(
    "carillon_fanout_jobs",
    "Jobs that have not ended.",
    ["state"],
    multiprocess_mode="mostrecent",
)
FANOUT_RECIPIENTS = Counter(
    "carillon_fanout_recipients_total",
    "Recipients of delivered chunks by what became of them.",
    ["result"],
)
FANOUT_CHUNK_DURATION = Histogram(
    "carillon_fanout_chunk_duration_seconds", "From claiming a chunk to its commit."
)
FANOUT_CHUNKS_PARKED = Counter(
    "carillon_fanout_chunks_parked_total", "Chunks given up after five errors, until a retry."
)
FANOUT_JOB_DURATION = Histogram(
    "carillon_fanout_job_duration_seconds",
    "From a job's start to its end, pauses included.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400),
)
JOBS_STALE = Gauge(
    "carillon_jobs_stale",
    "Jobs with work to do that have not moved for 15 s.",
    multiprocess_mode="mostrecent",
)
JOB_OLDEST_STALE_AGE = Gauge(
    "carillon_job_oldest_stale_age_seconds",
    "Since when the stalest job has not moved.",
    multiprocess_mode="mostrecent",
)
JOBS_REENQUEUED = Counter(
    "carillon_jobs_reenqueued_total", "Stale jobs that were handed to the workers again."
)


def start_worker_at_zero(queues: Sequence[str], states: Sequence[str]) -> None:
    """Make a worker's labelled series exist before their first event, so that rates see it."""
    for queue in queues:
        TASKS_IN_PROGRESS.labels(queue=queue)
        TASK_QUEUE_WAIT.labels(queue=queue)
    for state in states:
        FANOUT_JOBS.labels(state=state)
    for result in ("delivered", "muted", "gone", "failed"):
        FANOUT_RECIPIENTS.labels(result=result)


def start_gateway_at_zero(kinds: Sequence[str]) -> None:
    """Make a gateway's labelled series exist before their first event, so that rates see it."""
    for kind in kinds:
        for series in (CHANNELS, SUBSCRIPTIONS, MESSAGES_SENT, DELIVERY_LATENCY):
            series.labels(kind=kind)
        MESSAGES_DROPPED.labels(kind=kind, reason="slow_consumer")
    for reason in ("origin", "auth", "capacity", "protocol", "draining"):
        HANDSHAKES_REJECTED.labels(reason=reason)
    for result in ("current", "behind", "error"):
        HEAD_CHECKS.labels(result=result)
    for result in ("recovered", "empty", "gap"):
        RECOVERIES.labels(result=result)
    for transport in (CONNECTIONS, CONNECTIONS_OPENED):
        transport.labels(transport="websocket")
