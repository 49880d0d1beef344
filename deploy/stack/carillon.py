"""Carillon's own processes: what `make stack` runs between the servers and nginx."""

import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.credentials import Credentials
from deploy.stack.layout import Layout
from deploy.stack.postgresql import database_url
from deploy.stack.probes import answers
from deploy.stack.rabbitmq import broker_url
from deploy.stack.service import Service, Task, fingerprint

__all__ = ["beat", "environment", "gateway", "tasks", "web", "worker"]

# Larger messages are refused by the gateway before anything is allocated.
MAX_MESSAGE_BYTES = "65536"
PING_SECONDS = "25"
PONG_SECONDS = "8"


def environment(
    layout: Layout, credentials: Credentials, base: Mapping[str, str], role: str
) -> dict[str, str]:
    """Say what a process of one role is told; what the caller has set comes before our defaults."""
    origins = f"http://127.0.0.1:{layout.port},http://localhost:{layout.port}"
    return {
        "CARILLON_DEMO": "1",
        "CARILLON_SECRET_KEY": credentials.django,
        "CARILLON_PUBLIC_ORIGINS": origins,
        **base,
        "CARILLON_STATIC_ROOT": str(layout.state / "static"),
        "CARILLON_STATE_DIR": str(layout.state),
        "DATABASE_URL": database_url(layout, credentials),
        "BROKER_URL": broker_url(layout, credentials, role),
        "DJANGO_SETTINGS_MODULE": f"services.{role}.settings",
    }


def sources(layout: Layout, service: str) -> str:
    return fingerprint(layout.root, ["shared", f"services/{service}"])


def tasks(layout: Layout, env: Mapping[str, str]) -> tuple[Service, ...]:
    """Declare what must be done before Carillon starts."""
    manage = (sys.executable, str(layout.root / "manage.py"))
    code = sources(layout, "web")
    build = layout.root / "services/web/static/build"
    built = "".join(f"{p.name}{p.stat().st_mtime_ns}" for p in sorted(build.glob("*")))
    migrate = Task(
        name="migrate",
        command=(*manage, "migrate", "--noinput", "-v", "1"),
        env=env,
        needs=("database",),
        content=code,
        start_seconds=300,
    )
    demo = Task(
        name="load_demo",
        command=(*manage, "load_demo"),
        env=env,
        needs=("migrate",),
        content=code,
    )
    static = Task(
        name="collectstatic",
        command=(*manage, "collectstatic", "--noinput", "--clear"),
        env=env,
        content=code + built,
    )
    return (migrate, demo, static) if env["CARILLON_DEMO"] == "1" else (migrate, static)


def web(layout: Layout, env: Mapping[str, str]) -> Service:
    """Declare gunicorn, whose master also keeps the exporter of its metrics."""
    host = urlsplit(env["CARILLON_PUBLIC_ORIGINS"].split(",")[0]).netloc
    samples = layout.state / "metrics" / "web"
    return Service(
        name="web",
        command=(
            *(sys.executable, "-m", "gunicorn", "-c", "services/web/gunicorn.conf.py"),
            "services.web.wsgi:application",
        ),
        env={
            **env,
            "CARILLON_WEB_BIND": f"127.0.0.1:{layout.web}",
            "CARILLON_INTERNAL_PORT": str(layout.web_internal),
            "PROMETHEUS_MULTIPROC_DIR": str(samples),
        },
        needs=("postgresql", "rabbitmq", "migrate", "collectstatic"),
        ready=answers(layout.web, "/accounts/login/", headers={"Host": host}),
        ports=ports(layout.web, layout.web_internal),
        prepare=partial(empty, samples),
        content=sources(layout, "web"),
        address=f"127.0.0.1:{layout.web}",
        stop_seconds=35,
    )


def gateway(layout: Layout, env: Mapping[str, str], number: int) -> Service:
    """Declare one Daphne, which holds WebSockets."""
    port, internal = layout.gateway(number), layout.gateway_internal(number)
    return Service(
        name=f"gateway-{number}",
        command=(
            *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)),
            *("--websocket-max-message-size", MAX_MESSAGE_BYTES),
            *("--websocket-max-frame-size", MAX_MESSAGE_BYTES),
            *("--ping-interval", PING_SECONDS, "--ping-timeout", PONG_SECONDS),
            *("--websocket_timeout", "-1", "--websocket_connect_timeout", "10"),
            *("--proxy-headers", "--proxy-headers-host", "X-Real-IP", "--no-server-name"),
            # Its access log is no JSON; nginx has one, and abnormal ends are logged by us.
            *("--verbosity", "0"),
            "services.gateway.asgi:application",
        ),
        env={**env, "CARILLON_INTERNAL_PORT": str(internal)},
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(internal, "/readyz"),
        ports=ports(port, internal),
        content=sources(layout, "gateway"),
        address=f"127.0.0.1:{port}",
    )


def worker(layout: Layout, env: Mapping[str, str]) -> Service:
    """Declare the Celery worker."""
    samples = layout.state / "metrics" / "worker"
    return Service(
        name="worker",
        command=(
            *(sys.executable, "-m", "celery", "-A", "services.worker.celery:app", "worker"),
            *("--concurrency", "2", "--loglevel", "INFO"),
        ),
        env={
            **env,
            "CARILLON_INTERNAL_PORT": str(layout.worker_internal),
            "PROMETHEUS_MULTIPROC_DIR": str(samples),
        },
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(layout.worker_internal, "/readyz"),
        ports=ports(layout.worker_internal),
        prepare=partial(empty, samples),
        content=sources(layout, "worker"),
        stop_seconds=45,
    )


def beat(layout: Layout, env: Mapping[str, str]) -> Service:
    """Declare Celery's clock, of which there is only one."""
    samples = layout.state / "metrics" / "beat"
    schedule = layout.state / "beat" / "schedule"

    def prepare() -> None:
        empty(samples)
        schedule.parent.mkdir(parents=True, exist_ok=True)

    return Service(
        name="beat",
        command=(
            *(sys.executable, "-m", "celery", "-A", "services.worker.celery:app", "beat"),
            *("-s", str(schedule), "--pidfile=", "--loglevel", "INFO"),
        ),
        env={
            **env,
            "CARILLON_INTERNAL_PORT": str(layout.beat_internal),
            "PROMETHEUS_MULTIPROC_DIR": str(samples),
        },
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(layout.beat_internal, "/readyz"),
        ports=ports(layout.beat_internal),
        prepare=prepare,
        content=sources(layout, "worker"),
    )


def ports(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, "CARILLON_BASE_PORT")


def empty(folder: Path) -> None:
    """Make a folder without files: metrics of processes that are gone would be counted for ever."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
