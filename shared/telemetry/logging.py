"""Logs: one JSON object per line on standard error, whoever wrote it."""

from __future__ import annotations

import logging
import logging.config
import sys
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
}

# The machinery of workers: what it logs with an exception is a connection or a process that went.
# What a task of ours raises comes from `celery.app.trace`, which is none of these.
_MACHINERY = ("celery.worker", "celery.concurrency", "celery.pool", "billiard", "kombu", "amqp")


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
                    "filters": ["machinery"],
                }
            },
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "filters": {
                "briefly": {"()": _Briefly},
                "refused": {"()": _RefusedBriefly},
                "machinery": {"()": _MachineryBriefly},
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
    Celery found out.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.name.startswith(_MACHINERY):
            # billiard wraps what comes from another process in its traceback.
            error = getattr(record.exc_info[1], "exc", record.exc_info[1])
            record.msg = f"{record.getMessage()} ({type(error).__name__}: {error})"
            record.args = None
            record.exc_info = None
        return True
