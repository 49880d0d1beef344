"""Carillon's own processes: what `make stack` runs between the servers and nginx."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.credentials import Credentials
from deploy.stack.layout import Layout
from deploy.stack.postgresql import database_url
from deploy.stack.probes import answers
from deploy.stack.rabbitmq import broker_url
from deploy.stack.service import Service, Task, fingerprint

__all__ = ["beat", "bulk_worker", "environment", "gateway", "tasks", "web", "worker"]

# On one machine nobody is spared much by more.
DRAIN_SECONDS = "5"

# Without its banners, which are no JSON.
CELERY = (sys.executable, "-m", "celery", "-A", "services.worker.celery:app", "--quiet")


def environment(
    layout: Layout, credentials: Credentials, base: Mapping[str, str], role: str
) -> dict[str, str]:
    """Say what a process of one role is told; what the caller has set comes before our defaults."""
    return {
        "CARILLON_DEMO": "1",
        "CARILLON_SECRET_KEY": credentials.django,
        "CARILLON_PUBLIC_ORIGINS": layout.origins,
        # One per core would be more connections than PostgreSQL takes, on a large machine.
        "CARILLON_WEB_WORKERS": "2",
        **({"CARILLON_GATEWAY_DRAIN_SECONDS": DRAIN_SECONDS} if role == "gateway" else {}),
        **{name: value for name, value in base.items() if concerns(name, role)},
        "CARILLON_STATIC_ROOT": str(layout.state / "static"),
        "CARILLON_STATE_DIR": str(layout.state),
        "DATABASE_URL": database_url(layout, credentials),
        "BROKER_URL": broker_url(layout, credentials, role),
        "DJANGO_SETTINGS_MODULE": f"services.{role}.settings",
    }


def concerns(name: str, role: str) -> bool:
    """Say whether a variable is for a role, so that others are not started again for it."""
    prefixes = {"CARILLON_GATEWAY_": "gateway", "CARILLON_WEB_": "web"}
    return all(role == whose or not name.startswith(prefix) for prefix, whose in prefixes.items())


def code(layout: Layout, env: Mapping[str, str], service: str) -> str:
    """Digest what a process runs: its sources, those of a team's apps, the installed packages."""
    ours = [layout.root / "shared", layout.root / "services" / service]
    packages = Path(sys.prefix, ".base.stamp")
    stamp = packages.read_text() if packages.exists() else ""
    return fingerprint([*ours, *app_folders(env)]) + stamp


def app_folders(env: Mapping[str, str]) -> Iterator[Path]:
    """Find the sources of CARILLON_APPS, without importing them."""
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    for name in env.get("CARILLON_APPS", "").split(","):
        package, *rest = name.strip().split(".")
        spec = (PathFinder.find_spec(package, paths) or find_spec(package)) if package else None
        for place in (spec and spec.submodule_search_locations) or ():
            folder = Path(place)
            # The last words may name a class in a module: `polls.apps.PollsConfig`.
            for word in rest:
                folder = folder / word if (folder / word).is_dir() else folder
            yield folder


def tasks(layout: Layout, env: Mapping[str, str]) -> tuple[Service, ...]:
    """Declare what must be done before Carillon starts."""
    manage = (sys.executable, str(layout.root / "manage.py"))
    migrate = Task(
        name="migrate",
        command=(*manage, "migrate", "--noinput", "-v", "1"),
        env=env,
        needs=("database",),
        start_seconds=300,
    )
    demo = Task(
        name="load_demo",
        command=(*manage, "load_demo"),
        env=env,
        needs=("migrate",),
    )
    static = Task(
        name="collectstatic",
        # Nothing is removed: pages that are open ask for the files of their own version.
        command=(*manage, "collectstatic", "--noinput"),
        env=env,
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
        content=code(layout, env, "web"),
        address=f"127.0.0.1:{layout.web}",
        stop_seconds=35,
    )


def gateway(layout: Layout, env: Mapping[str, str], number: int) -> Service:
    """Declare one gateway, which holds WebSockets."""
    port, internal = layout.gateway(number), layout.gateway_internal(number)
    return Service(
        name=f"gateway-{number}",
        command=(*(sys.executable, "-m", "services.gateway", "-b", "127.0.0.1", "-p", str(port)),),
        env={**env, "CARILLON_INTERNAL_PORT": str(internal)},
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(internal, "/readyz"),
        ports=ports(port, internal),
        content=code(layout, env, "gateway"),
        # Over CARILLON_GATEWAY_DRAIN_SECONDS it sends its clients away.
        stop_seconds=drain_seconds(env) + 8,
        address=f"127.0.0.1:{port}",
    )


def drain_seconds(env: Mapping[str, str]) -> float:
    """Read how long a gateway may take; one that cannot be read is the gateway's to refuse."""
    try:
        return float(env["CARILLON_GATEWAY_DRAIN_SECONDS"])
    except ValueError:
        return float(DRAIN_SECONDS)


def worker(layout: Layout, env: Mapping[str, str]) -> Service:
    """Declare the Celery worker for all that is not a bulk job."""
    queues = "carillon.default,carillon.rounds"
    return celery_worker(layout, env, "worker", queues, layout.worker_internal)


def bulk_worker(layout: Layout, env: Mapping[str, str]) -> Service:
    """Declare the Celery worker for bulk jobs, which may keep it busy for long."""
    return celery_worker(layout, env, "bulk", "carillon.bulk", layout.bulk_internal)


def celery_worker(
    layout: Layout, env: Mapping[str, str], name: str, queues: str, internal: int
) -> Service:
    samples = layout.state / "metrics" / name
    return Service(
        name=name,
        command=(
            # Even a quiet worker says in plain text, there, that it was told to end.
            *("sh", "-c", 'exec "$@" >/dev/null', name),
            *(*CELERY, "worker", "--concurrency", "2", "--loglevel", "INFO"),
            *("--queues", queues, "--hostname", f"{name}@%h"),
        ),
        env={
            **env,
            "CARILLON_INTERNAL_PORT": str(internal),
            # Several lines of plain text in a log of JSON, which say that root starts this stack.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
            "PROMETHEUS_MULTIPROC_DIR": str(samples),
        },
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(internal, "/readyz"),
        ports=ports(internal),
        prepare=partial(empty, samples),
        content=code(layout, env, "worker"),
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
        command=(*CELERY, "beat", "-s", str(schedule), "--pidfile=", "--loglevel", "INFO"),
        env={
            **env,
            "CARILLON_INTERNAL_PORT": str(layout.beat_internal),
            "PROMETHEUS_MULTIPROC_DIR": str(samples),
        },
        needs=("postgresql", "rabbitmq", "migrate"),
        ready=answers(layout.beat_internal, "/readyz"),
        ports=ports(layout.beat_internal),
        prepare=prepare,
        content=code(layout, env, "worker"),
    )


def ports(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, "CARILLON_BASE_PORT")


def empty(folder: Path) -> None:
    """Make a folder without files: metrics of processes that are gone would be counted for ever."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
