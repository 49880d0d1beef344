"""`python -m deploy.stack`, as a shell sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.stack.carillon import app_folders
from deploy.stack.layout import ROOT, Layout
from deploy.stack.settings import FILE, for_services, recall, remember

# Nearly each starts processes.
pytestmark = pytest.mark.thorough

COMMAND = [sys.executable, "-m", "deploy.stack"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


def test_taken_port(layout: Layout) -> None:
    """One sentence says which port and what to do; nothing else was done."""
    with socket.create_server(("127.0.0.1", layout.port)):
        result = run("check", CARILLON_PORT=str(layout.port), CARILLON_STATE_DIR=str(layout.state))
    assert result.returncode == 1
    assert result.stderr == (
        f"Port {layout.port} (nginx) is taken: stop the program that holds it, "
        "or set CARILLON_PORT to another number.\n"
    )
    assert not layout.state.exists()


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_port_that_is_none(port: str) -> None:
    """A port must be a number in range."""
    result = run("check", CARILLON_PORT=port)
    assert result.returncode == 1
    assert result.stderr.startswith(f"CARILLON_PORT is '{port}': write a number from 1 to ")


def test_taken_port_of_another_form(layout: Layout) -> None:
    """The port of `make run` is checked in the same way."""
    assert run("check", str(layout.port)).returncode == 0
    with socket.create_server(("127.0.0.1", layout.port)):
        result = run("check", str(layout.port))
    assert result.returncode == 1
    assert result.stderr.startswith(f"Port {layout.port} (Carillon) is taken: ")
    assert run("check", "http").stderr.startswith("CARILLON_PORT is 'http': write a number ")


@pytest.mark.parametrize("number", ["0", "17", "-1", "x", "2 3", "1.5"])
@pytest.mark.parametrize("words", [("scale", "--", "{}"), ("up", "--gateways={}")], ids="/".join)
def test_number_of_gateways(layout: Layout, words: tuple[str, ...], number: str) -> None:
    """More gateways than nginx has slots for are refused, none at all, and what is no number."""
    arguments = [word.format(number) for word in words]
    result = run(*arguments, CARILLON_STATE_DIR=str(layout.state))
    assert result.returncode == 1
    assert result.stderr == (
        f"There can be 1 to 16 gateways, not {number}: write a number, such as GATEWAYS=3.\n"
    )


@pytest.mark.parametrize("words", ["scale 2", "manage migrate"])
def test_command_without_a_stack(layout: Layout, words: str) -> None:
    """Only a running stack can be scaled, and has a database that commands may work on."""
    result = run(*words.split(), CARILLON_STATE_DIR=str(layout.state))
    assert result.returncode == 1
    assert result.stderr == "The stack is not running: start it with `make stack`.\n"


def test_other_settings_than_those_of_the_stack(layout: Layout) -> None:
    """What a shell has set decides how a stack starts, not what is said of the one that runs."""
    remember(layout, {"CARILLON_DEMO": "1"})
    assert (layout.state / FILE).stat().st_mode & 0o077 == 0
    shell = {"CARILLON_STATE_DIR": str(layout.state), "CARILLON_PORT": "x", "CARILLON_APPS": "y"}
    result = run("status", **shell)
    assert result.returncode == 1
    assert f"http://127.0.0.1:{layout.port}\n" in result.stdout
    found = recall(shell)
    assert Layout.from_environment(found) == replace(layout, sandbox=False)
    assert for_services(found) == {"CARILLON_DEMO": "1"}


def test_apps_of_a_team(layout: Layout, tmp_path: Path) -> None:
    """Where a team's apps are is kept with their names; another shell may have set nothing."""
    apps = {"CARILLON_APPS": "polls", "PYTHONPATH": str(tmp_path)}
    remember(layout, for_services(apps))
    state = {"CARILLON_STATE_DIR": str(layout.state)}
    for shell in ({}, {"PYTHONPATH": "/elsewhere"}):
        assert for_services(recall(state | shell)) == apps
    (tmp_path / "polls").mkdir()
    assert list(app_folders(apps)) == [tmp_path / "polls"]


def test_path_that_no_app_needs(layout: Layout) -> None:
    """Without apps a shell's PYTHONPATH changes nothing that the stack's processes do."""
    assert for_services({"PYTHONPATH": "/elsewhere"}) == {}
    remember(layout, {"CARILLON_APPS": "polls"})
    shell = {"CARILLON_STATE_DIR": str(layout.state), "PYTHONPATH": "/elsewhere"}
    assert for_services(recall(shell)) == {"CARILLON_APPS": "polls"}


def test_without_packages(layout: Layout) -> None:
    """Any Python can stop a stack, ask for it and refuse; starting takes Carillon's packages."""
    for verb, words in {"down": "", "up": "packages are not installed: run `make stack`"}.items():
        result = subprocess.run(
            [sys.executable, "-I", "-S", "-c", ISOLATED, verb],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "CARILLON_STATE_DIR": str(layout.state)},
            capture_output=True,
            text=True,
        )
        assert words in result.stderr
        assert "Traceback" not in result.stderr


ISOLATED = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from deploy.stack.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_down_without_a_stack(layout: Layout) -> None:
    """There is nothing to stop, and that is no error."""
    result = run("down", CARILLON_STATE_DIR=str(layout.state))
    words = "Nothing of the stack runs.\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, words, "")


SCRIPT = """
import os, socket, sys
from urllib.parse import urlsplit
for name in ("DATABASE_URL", "BROKER_URL"):
    parts = urlsplit(os.environ[name])
    socket.create_connection((parts.hostname, parts.port)).close()
print("both answer", flush=True)
sys.exit(7)
"""


@pytest.mark.servers
def test_run(tmp_path: Path) -> None:
    """The command gets PostgreSQL and RabbitMQ, its exit status counts, nothing stays."""
    result = run("run", "--", sys.executable, "-c", SCRIPT, TMPDIR=str(tmp_path))
    assert result.returncode == 7, result.stderr
    assert "both answer\n" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["initdb", "both answer"])
def test_run_interrupted(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """Ctrl-C and `kill` clean up, while servers start and while the command runs."""
    code = SCRIPT.replace("sys.exit(7)", "import time; time.sleep(60)")
    process = subprocess.Popen(
        [*COMMAND, "run", "--", sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # What runs in the background of a script would inherit that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if moment in line:
                # A terminal signals the whole group, `kill` a process.
                (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    assert process.returncode not in {0, 7}
    assert list(tmp_path.iterdir()) == []
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if mentions(path, tmp_path)]
    assert left == []


def mentions(cmdline: Path, folder: Path) -> bool:
    try:
        return str(folder) in cmdline.read_text(errors="replace")
    except OSError:
        return False
