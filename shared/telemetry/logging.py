"""Logs: one JSON object per line on standard error, whoever wrote it."""

from __future__ import annotations

import logging
import logging.config
import sys
import time
from typing import Any

# structlog imports these where they are installed, for loggers that we do not use: 11 MB in each
# process of a worker. To None, an import is refused.
_HIDDEN = {name: sys.modules.get(name) for name in ("rich", "twisted")}
sys.modules.update(dict.fromkeys(_HIDDEN))  # type: ignore[arg-type]
import structlog  # noqa: E402 - as said

for _name, _module in _HIDDEN.items():
    del sys.modules[_name]
    if _module is not None:
        sys.modules[_name] = _module

__all__ = ["LEVELS", "configure"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# They repeat per connection, with a traceback, what the doorbell already says once.
_QUIET = {
    "channels_rabbitmq.core": "CRITICAL",
    "carehare": "ERROR",
    "amqp": "WARNING",
    "kombu": "WARNING",
    "django.channels.server": "WARNING",
    "daphne": "WARNING",
    # Several lines a second while the database is away, of which others tell once.
    "psycopg.pool": "CRITICAL",
}

# The machinery of workers: what it logs with an exception is a connection or a process that went.
# What a task of ours raises comes from `celery.app.trace`, which is none of these.
_MACHINERY = ("celery.worker", "celery.concurrency", "celery.pool", "billiard", "kombu", "amqp")

# Where a task's own failure is told.
_TASKS = "celery.app.trace"

# What Celery's worker says again and again while the broker is away, and when it is back.
_CANNOT_CONNECT, _CONNECTED = "consumer: Cannot connect to %s: %s.\n%s\n", "Connected to %s"
_REMIND_SECONDS = 600.0


def configure(options: dict[str, Any]) -> None:
    """
    Send all records of the standard library and of structlog through one JSON formatter.

    Args:
        options: `level`, the least severe level that is written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["status_code", "channel", "code", "duration_ms"]),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        # JSON escapes line breaks and control characters: one event, one line.
                        structlog.processors.JSONRenderer(ensure_ascii=True),
                    ],
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["waiting", "machinery"],
                }
            },
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "filters": {
                "briefly": {"()": _Briefly},
                "refused": {"()": _RefusedBriefly},
                "machinery": {"()": _MachineryBriefly},
                "waiting": {"()": _WaitingOnce},
            },
            "loggers": {
                **{name: {"level": level} for name, level in _QUIET.items()},
                # Anybody may send a Host header; where in Django it was refused tells nothing.
                "django.security.DisallowedHost": {"filters": ["briefly"]},
                "django.request": {"filters": ["refused"]},
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _Briefly(logging.Filter):
    """Takes the traceback off a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True


class _RefusedBriefly(logging.Filter):
    """Takes the traceback off a request that was refused: it shows where our own code said no."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = None
        return True


class _MachineryBriefly(logging.Filter):
    """
    Puts the exception's words in place of its traceback, in records of the worker's machinery.

    The broker went, or a process of the pool was killed: all that a traceback shows is where
    Celery found out. A task that met no database is another such.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.exc_info:
            return True
        # billiard wraps what comes from another process in its traceback.
        error = getattr(record.exc_info[1], "exc", record.exc_info[1])
        if record.name.startswith(_MACHINERY):
            record.msg = f"{record.getMessage()} ({type(error).__name__}: {error})"
            record.args = None
            record.exc_info = None
        elif record.name == _TASKS and _tells_of_no_database(error):
            # The line has the error's words already.
            record.exc_info = None
        return True


def _tells_of_no_database(error: object) -> bool:
    """Say whether an error of Django tells that no database was there, or none to write to."""
    cause = getattr(error, "__cause__", None)
    state = getattr(cause, "sqlstate", None)
    if type(error).__module__ != "django.db.utils":
        return False
    if state is None:
        # What no server has said.
        return type(error).__name__ in {"OperationalError", "InterfaceError"}
    # It shuts down, or starts; a standby, which refuses writes.
    return str(state).startswith(("08", "57P", "25006"))


class _WaitingOnce(logging.Filter):
    """
    Lets a worker say once that the broker is away, then as a reminder every ten minutes.

    Celery says so at each try, which names how often it will try: it never ceases to.
    """

    def __init__(self) -> None:
        super().__init__()
        # When it was said last; None while the broker is there.
        self._told: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg == _CONNECTED and record.name.startswith("celery.worker"):
            self._told = None
        if record.msg != _CANNOT_CONNECT or not isinstance(record.args, tuple):
            return True
        now = time.monotonic()
        if self._told is not None and now - self._told < _REMIND_SECONDS:
            return False
        self._told = now
        record.msg = "RabbitMQ at %s is away (%s); the worker goes on trying."
        record.args = record.args[:2]
        return True
