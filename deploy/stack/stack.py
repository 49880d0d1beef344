"""One stack: its services, and what can be done with them."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from deploy.stack import carillon
from deploy.stack.credentials import Credentials
from deploy.stack.errors import PortTaken, StackError
from deploy.stack.layout import MAX_GATEWAYS, Layout, WrongGateways
from deploy.stack.nginx import nginx
from deploy.stack.postgresql import database_url, left_behind, postgresql, wipe
from deploy.stack.probes import is_free
from deploy.stack.processes import family, is_alive
from deploy.stack.rabbitmq import ROLES, broker_url, rabbitmq
from deploy.stack.service import Service, Task
from deploy.stack.settings import FILE, for_services, remember
from deploy.stack.supervisor import Report, Supervisor

__all__ = ["Stack"]

DEFAULT_GATEWAYS = 2


class Stack:
    """The real form of Carillon in one state folder."""

    def __init__(self, layout: Layout, environment: Mapping[str, str], report: Report) -> None:
        """
        Args:
            layout: its folder and ports.
            environment: settings for Carillon's services; others than for_services picks are left.
            report: gets one line for each service that started or stopped.
        """
        self.layout = layout
        self.environment = for_services(environment)
        self.report = report
        self.supervisor = Supervisor(layout.state, layout.root, report)

    # What there is

    @property
    def credentials(self) -> Credentials:
        return Credentials.load(self.layout.state)

    @property
    def database_url(self) -> str:
        return database_url(self.layout, self.credentials)

    def broker_url(self, role: str) -> str:
        return broker_url(self.layout, self.credentials, role)

    def gateways(self) -> list[int]:
        """List the numbers of the gateways that were started and not stopped since."""
        names = [record.name for record in self.supervisor.records.all()]
        return sorted(int(n.removeprefix("gateway-")) for n in names if n.startswith("gateway-"))

    def servers(self) -> list[Service]:
        """Declare the servers that are not ours."""
        env = base_environment()
        return [
            *postgresql(self.layout, self.credentials, env),
            *rabbitmq(self.layout, self.credentials, env),
        ]

    def services(self, gateways: Sequence[int]) -> list[Service]:
        """Declare everything."""
        env = {role: self.role_environment(role) for role in ROLES}
        layout = self.layout
        holders = [carillon.gateway(layout, env["gateway"], number) for number in gateways]
        return [
            *self.servers(),
            *carillon.tasks(layout, env["web"]),
            carillon.web(layout, env["web"]),
            *holders,
            carillon.worker(layout, env["worker"]),
            carillon.bulk_worker(layout, env["worker"]),
            carillon.beat(layout, env["worker"]),
            nginx(
                layout,
                base_environment(),
                self.environment,
                needs=("web", *(service.name for service in holders)),
            ),
        ]

    def role_environment(self, role: str) -> dict[str, str]:
        base = {**base_environment(), **self.environment}
        return carillon.environment(self.layout, self.credentials, base, role)

    # What can be done

    def check(self) -> None:
        """
        Refuse when a port is taken; before the long work, so without asking what is installed.
        """
        running = self.supervisor.records.all()
        if not any(record.alive for record in running) and not is_free(self.layout.port):
            raise PortTaken("nginx", self.layout.port, "CARILLON_PORT")

    def up(self, gateways: int | None = None, *, with_tasks: bool = True) -> None:
        """
        Start everything.

        Args:
            gateways: how many; as many as there were, unless somebody says so.
            with_tasks: migrate, load the demo and collect static files, too.
        """
        with self.lock():
            count = max(self.gateways(), default=DEFAULT_GATEWAYS) if gateways is None else gateways
            numbers = self.check_count(count)
            check_packages()
            services = self.services(numbers)
            # What still runs keeps its settings until nothing can be refused any more.
            self.supervisor.check_ports(services)
            remember(self.layout, self.environment)
            self.stop_gateways_above(count)
            self.supervisor.up([one for one in services if with_tasks or not isinstance(one, Task)])
            for folder in left_behind(self.layout):
                self.report(f"{folder} holds data of a state folder that is gone: remove it.")

    def scale(self, gateways: int) -> None:
        """Change the number of gateways; nothing else is touched, and nginx is not reloaded."""
        with self.lock():
            numbers = self.check_count(gateways)
            self.check_runs("nginx")
            check_packages()
            self.stop_gateways_above(gateways)
            names = [f"gateway-{number}" for number in numbers]
            self.supervisor.up(self.choose([n for n in names if not self.is_running(n)], gateways))

    def down(self, *, and_wipe: bool = False) -> None:
        """Stop everything; data stays unless it shall go."""
        if not self.layout.state.exists():
            return
        with self.lock():
            self.supervisor.down(at_once=and_wipe)
            if and_wipe:
                wipe(self.layout)
                # The embedded form keeps its database beside these.
                for name in ("beat", "log", "metrics", "nginx", "rabbitmq", "run", "static"):
                    shutil.rmtree(self.layout.state / name, ignore_errors=True)
                for name in ("credentials.json", "roles.sql", FILE):
                    (self.layout.state / name).unlink(missing_ok=True)

    def start(self, *names: str) -> None:
        """Start services, not those that they need, and wait until they are ready."""
        with self.lock():
            self.supervisor.up(self.choose(names))

    def stop(self, name: str) -> None:
        """Ask one service to end, and wait until it has."""
        with self.lock():
            record = self.supervisor.records.read(name)
            if record is not None:
                self.supervisor.stop([record])

    def kill(self, name: str) -> None:
        """End a service's processes with SIGKILL, as a crash of its machine would."""
        record = self.supervisor.records.read(name)
        if record is None or not record.alive:
            raise StackError(f"{name} is not running.")
        for member in family(record.identity):
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        while is_alive(record.identity):
            time.sleep(0.01)

    def manage(self, *arguments: str) -> str:
        """Run a management command in the environment of the web service; return what it prints."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.layout.root,
            env=self.role_environment("web"),
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise StackError(f"manage.py {' '.join(arguments)} failed:\n{result.stderr}")
        return result.stdout

    def manage_here(self, arguments: Sequence[str]) -> NoReturn:
        """Become a management command in the environment of the web service, at this terminal."""
        self.check_runs("postgresql")
        check_packages()
        manage = str(self.layout.root / "manage.py")
        env = self.role_environment("web")
        os.execve(sys.executable, [sys.executable, manage, *arguments], env)

    # What is going on

    @property
    def is_started(self) -> bool:
        """Whether anything of it runs."""
        return any(record.alive for record in self.supervisor.records.all())

    def pid(self, name: str) -> int | None:
        record = self.supervisor.records.read(name)
        return record.identity.pid if record is not None and record.alive else None

    def is_running(self, name: str) -> bool:
        return self.pid(name) is not None

    def log(self, name: str) -> Path:
        return self.supervisor.log(name)

    # Inside

    def check_count(self, gateways: int) -> list[int]:
        if not 1 <= gateways <= MAX_GATEWAYS:
            raise WrongGateways(gateways)
        return list(range(1, gateways + 1))

    def check_runs(self, name: str) -> None:
        if not self.is_running(name):
            raise StackError("The stack is not running: start it with `make stack`.")

    def stop_gateways_above(self, count: int) -> None:
        for number in reversed(self.gateways()):
            record = self.supervisor.records.read(f"gateway-{number}")
            if number > count and record is not None:
                self.supervisor.stop([record])

    def choose(self, names: Sequence[str], gateways: int | None = None) -> list[Service]:
        """Find services by name, without asking for programs that nobody needs now."""
        known = {service.name: service for service in self.servers()}
        if not set(names) <= set(known):
            # One that was stopped for good is among those that were named, not those that run.
            named = [int(n) for name in names if (n := name.removeprefix("gateway-")).isdigit()]
            there = [*self.gateways(), *named]
            count = gateways or max(there, default=DEFAULT_GATEWAYS)
            known = {service.name: service for service in self.services(self.check_count(count))}
        for name in names:
            if name not in known:
                raise StackError(f"There is no service {name!r}: choose from {', '.join(known)}.")
        return [known[name] for name in names]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other commands away from the state folder."""
        if not Path("/proc/self/stat").exists():
            raise StackError("The real form runs on Linux alone: use `make run` here.")
        self.layout.state.mkdir(parents=True, exist_ok=True)
        with (self.layout.state / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"Another command works on {self.layout.state}: "
                    "wait for it to end, then try again."
                ) from None
            yield


def check_packages() -> None:
    """Refuse to start Carillon with a Python that lacks its packages; stopping needs none."""
    if find_spec("django") is None:
        raise StackError("Carillon's Python packages are not installed: run `make stack` first.")


def base_environment() -> dict[str, str]:
    """Say what every process may know of the caller: nothing that would change what it does."""
    names = ("HOME", "PATH", "TMPDIR")
    known = {name: os.environ[name] for name in names if name in os.environ}
    return {**known, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
