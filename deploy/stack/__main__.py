"""`python -m deploy.stack`: the stack by hand, and behind the Makefile."""

import argparse
import os
import signal
import subprocess
import sys
from types import FrameType

from deploy.stack.errors import PortTaken, StackError
from deploy.stack.layout import Layout, WrongGateways
from deploy.stack.probes import is_free
from deploy.stack.programs import BROWSER, COMPILER, SERVERS, install
from deploy.stack.service import Task, in_order
from deploy.stack.settings import recall
from deploy.stack.stack import Stack

__all__ = ["main"]

# What `run` starts when nobody says otherwise.
WANTED = ("initdb", "postgresql", "database", "epmd", "rabbitmq")


def say(line: str) -> None:
    print(line, flush=True)


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    verbs = main.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("up", help="start what is not running, restart what has changed")
    one.add_argument("--gateways", metavar="N")
    one = verbs.add_parser("down", help="stop everything")
    one.add_argument("--wipe", action="store_true", help="remove all data, too")
    one = verbs.add_parser("scale", help="change the number of gateways while the rest runs")
    one.add_argument("gateways", metavar="N")
    verbs.add_parser("status", help="list the services; exit status 1 when one does not run")
    one = verbs.add_parser("manage", help="run manage.py beside the stack, on its database")
    one.add_argument("arguments", nargs="+", metavar="ARG", help="after a `--`")
    one = verbs.add_parser("check", help="say whether the stack's port is free")
    one.add_argument("port", nargs="?", help="another one, such as that of `make run`")
    one = verbs.add_parser("install", help="install the missing Debian packages")
    one.add_argument("--browser", action="store_true", help="Chromium, too")
    one.add_argument("--compiler", action="store_true", help="a C compiler, too")
    one = verbs.add_parser("run", help="run a command beside PostgreSQL and RabbitMQ of its own")
    one.add_argument("command", nargs="+", metavar="CMD", help="after a `--`")
    return main


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    # `kill` shall clean up like Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupt)
    stack: Stack | None = None
    try:
        # They speak of the stack that runs, not of one that this shell would start.
        is_about_running = options.verb in {"down", "manage", "scale", "status"}
        environment = recall(os.environ) if is_about_running else os.environ
        stack = Stack(Layout.from_environment(environment), environment, say)
        match options.verb:
            case "up":
                stack.up(None if options.gateways is None else count(options.gateways))
                say(
                    f"Carillon runs at http://127.0.0.1:{stack.layout.port} - sign in as alice or "
                    "bob, password carillon. `make stack-down` stops it."
                )
            case "down":
                stack.down(and_wipe=options.wipe)
                say("Nothing of the stack runs.")
            case "scale":
                stack.scale(count(options.gateways))
            case "status":
                return status(stack)
            case "manage":
                stack.manage_here(options.arguments)
            case "check" if options.port is not None:
                port = Layout.from_environment({"CARILLON_PORT": options.port}).port
                if not is_free(port):
                    raise PortTaken("Carillon", port, "CARILLON_PORT")
            case "check":
                stack.check()
            case "install":
                browser = BROWSER if options.browser else {}
                install(SERVERS | browser | (COMPILER if options.compiler else {}))
            case "run":
                return run(options.command)
    except StackError as error:
        print(error, file=sys.stderr)
        if stack is not None and options.verb == "up" and stack.is_started:
            print("`make stack-down` stops what has started.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        more = "; `make stack-down` stops what has started" if options.verb == "up" else ""
        print(f"Interrupted{more}.", file=sys.stderr)
        return 130
    return 0


def count(gateways: str) -> int:
    try:
        return int(gateways)
    except ValueError:
        raise WrongGateways(gateways) from None


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def status(stack: Stack) -> int:
    """Print a line for each service."""
    result = 0
    for service in in_order(stack.services(stack.gateways())):
        if isinstance(service, Task):
            continue
        pid = stack.pid(service.name)
        state = f"runs as process {pid}" if pid else "does not run"
        say(f"{service.name:<13} {state:<26} {service.address}".rstrip())
        result = result if pid else 1
    return result


def run(command: list[str]) -> int:
    """Run a command with servers of its own, which go away with it."""
    with Layout.temporary() as layout:
        stack = Stack(layout, {}, say)
        try:
            stack.start(*WANTED)
            urls = {"DATABASE_URL": stack.database_url, "BROKER_URL": stack.broker_url("operator")}
            child = subprocess.Popen(command, env={**os.environ, **urls})
            # The terminal tells the command, too, while `kill` tells only us; either way we
            # wait for it. Raising KeyboardInterrupt here could lose its exit status.
            signal.signal(signal.SIGINT, lambda number, frame: None)
            signal.signal(signal.SIGTERM, lambda number, frame: child.terminate())
            status = child.wait()
            return status if status >= 0 else 128 - status
        finally:
            stack.down(and_wipe=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
