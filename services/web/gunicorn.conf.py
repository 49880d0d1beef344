# ruff: noqa: N999 - the name is gunicorn's
"""How gunicorn serves the web tier; `gunicorn -c services/web/gunicorn.conf.py`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gunicorn.glogging import Logger

from shared.settings import env
from shared.telemetry import exporter, logging

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config
    from gunicorn.workers.base import Worker

bind = env.text("CARILLON_WEB_BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = env.integer("CARILLON_WEB_WORKERS", 2 * (os.cpu_count() or 1), minimum=1)
# A thread holds at most one database connection: see CARILLON_DATABASE_POOL_CONNECTIONS.
threads = env.integer("CARILLON_WEB_THREADS", 4, minimum=1)

# Connections, locks and the publisher's thread must not cross a fork.
preload_app = False
# A worker's heartbeat is a file; on a disk it would wait for the disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the folder is memory, the file unnamed
timeout = 30
graceful_timeout = 25
# Above nginx's 60 s, so that it is nginx who closes an idle connection.
keepalive = 75
max_requests = 2000
max_requests_jitter = 400
# The root of a container is read-only, and signals are all that we need.
control_socket_disable = True

# nginx overwrites these headers; others who can reach us are not believed.
forwarded_allow_ips = ",".join(env.networks("CARILLON_WEB_PROXIES", "127.0.0.1/32,::1/128"))
accesslog = None


class JsonLogger(Logger):  # type: ignore[misc]
    """Hands gunicorn's own lines to our formatter; its settings know no other way to."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        # The master imports no Django, which would do this in each worker.
        logging.configure({"level": env.text("CARILLON_LOG_LEVEL", "INFO").upper()})
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = JsonLogger

_exporter_runs = False


def when_ready(server: Arbiter) -> None:
    """Serve the internal port from a process of its own, which ends with the master."""
    global _exporter_runs
    if not _exporter_runs:
        _exporter_runs = True
        exporter.spawn()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Leave the gauges of an ended worker out of the sums."""
    exporter.forget_process(worker.pid)
