"""
Who may import whom. The rules are those of `docs/architecture.md`; they are read from the sources,
so an import inside a function or for type checking counts as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Inside shared, imports go down this list; packages on one line do not know each other.
LAYERS = [
    {"shared.broker"},
    {"shared.realtime", "shared.ratelimit"},
    {"shared.presence", "shared.tokens"},
    {"shared.accounts"},
    {"shared.notifications"},
    {"shared.bulk"},
    {"shared.chat", "shared.posts"},
    {"shared.operations"},
    {"shared.testing"},
]
DOMAIN = {
    "shared.accounts",
    "shared.notifications",
    "shared.bulk",
    "shared.chat",
    "shared.posts",
}

# Who alone may import a library.
LIBRARIES = {
    "channels": {"services.gateway", "services.embedded"},
    "channels_rabbitmq": {"services.gateway", "services.embedded"},
    "carehare": {"services.gateway", "services.embedded"},
    "daphne": {"services.gateway", "services.embedded"},
    "autobahn": {"services.gateway", "services.embedded"},
    "twisted": {"services.gateway", "services.embedded"},
    "kombu": {"shared.broker"},
    "amqp": {"shared.broker"},
    "msgpack": {"shared.broker"},
}
ENVIRONMENT = "shared.settings.env"

# Modules of plain values: called by a test without a server, a loop or a database.
PURE = {
    "services.gateway.closecodes",
    "services.gateway.caughtup",
    "services.gateway.centrifuge.commands",
    "services.gateway.centrifuge.connection",
    "services.gateway.centrifuge.replies",
    "services.gateway.centrifuge.steps",
    "services.gateway.hub",
    "services.gateway.limits",
    "services.gateway.plain",
    "services.gateway.roster",
    "services.gateway.shapes",
    "shared.broker.wire",
    "shared.bulk.chunking",
    "shared.bulk.states",
    "shared.presence.changes",
    "shared.presence.clients",
    "shared.realtime.positions",
    "shared.realtime.prefixes",
    "shared.realtime.refusals",
    "shared.realtime.text",
    "shared.tokens.claims",
    "shared.tokens.grants",
    "shared.tokens.keys",
    "shared.tokens.sealing",
    "shared.tokens.signatures",
}
OUTSIDE_OF_PURE = {
    "django",
    "channels",
    "asyncio",
    "socket",
    "threading",
    "subprocess",
    "http",
    "os",
}

# The one door to clients.
PUBLISH = "shared.realtime.publish"
PUBLISHERS = ("actions", "namespaces")

# Exceptions, each with its reason.
ALLOWED = {
    # The start is refused while demo users are left.
    ("shared.settings.production", "shared.accounts.demo"),
    # The one place where notifications are stored: `notify` and bulk jobs go through it.
    ("shared.notifications.delivery", PUBLISH),
    # The door itself, and the package's own modules beside it.
    ("shared.realtime.publish", PUBLISH),
}


def part(module: str) -> str:
    """Return the package that rules apply to: `shared.chat` of `shared.chat.actions`."""
    return ".".join(module.split(".")[:2])


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield the full names of all that a module imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                package = module.split(".")[: len(module.split(".")) - level] if level else []
                base = ".".join([*package, *([source] if source else [])])
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def reads_environment(tree: ast.AST) -> bool:
    """Say whether a module touches `os.environ` or `os.getenv`, by either way of importing it."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in {"environ", "environb", "getenv", "putenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(tree)
    ) or any(
        isinstance(node, ast.ImportFrom)
        and node.module == "os"
        and any(alias.name in {"environ", "environb", "getenv"} for alias in node.names)
        for node in ast.walk(tree)
    )


def may_import(module: str, name: str) -> bool:
    """Say whether the rules let a module import a name."""
    if any(module == who and f"{name}.".startswith(f"{what}.") for who, what in ALLOWED):
        return True
    own, other, library = part(module), part(name), name.split(".")[0]
    if library in {"tests", "deploy"}:
        return False
    if library == "services" and own not in {other, "services.embedded"}:
        return False
    if library in LIBRARIES and own not in LIBRARIES[library]:
        return False
    if module in PURE and library in OUTSIDE_OF_PURE:
        return False
    if f"{name}.".startswith(f"{PUBLISH}."):
        return module.startswith("shared.") and module.rpartition(".")[2] in PUBLISHERS
    return own == other or library != "shared" or shared_may_import(own, other)


def shared_may_import(own: str, other: str) -> bool:
    """Say whether the layers let one package import another of shared."""
    levels = {package: level for level, packages in enumerate(LAYERS) for package in packages}
    if own == "shared.telemetry":
        return other == "shared.settings"
    if own == "shared.settings":
        return other == "shared.telemetry"
    if own not in levels or other not in levels:
        return True
    if own in DOMAIN and other == "shared.broker":
        return False
    return levels[other] < levels[own]


def violations(module: str, source: str) -> list[str]:
    """Return what a module's source does against the rules."""
    tree = ast.parse(source)
    found = [
        f"{module} imports {name}" for name in imports(module, tree) if not may_import(module, name)
    ]
    if module != ENVIRONMENT and reads_environment(tree):
        found.append(f"{module} reads the environment")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("shared", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"node_modules", "migrations"} & set(path.parts):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__"), path


def test_all_sources() -> None:
    """No module of ours breaks a rule."""
    found = [line for name, path in modules() for line in violations(name, path.read_text())]
    assert found == []


def test_the_rules_meet_the_sources() -> None:
    """The names in the rules are those of modules that exist, and each exception is needed."""
    names = {name for name, _ in modules()}
    assert names >= PURE
    assert ENVIRONMENT in names
    packages = {part(name) for name in names}
    assert packages >= set().union(*LAYERS)
    for module, name in ALLOWED:
        if module == name:
            continue
        path = dict(modules())[module]
        used = imports(module, ast.parse(path.read_text()))
        assert any(f"{each}.".startswith(f"{name}.") for each in used), f"{module} {name}"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("services.web.api.rooms", "from services.gateway.hub import Hub"),
        ("services.gateway.hub", "import services.worker.tasks"),
        ("services.worker.tasks", "from services import web"),
        ("shared.chat.actions", "from services.web import settings"),
        ("shared.chat.actions", "def f():\n    from services.gateway import hub"),
        ("shared.chat.actions", "from shared.broker.publisher import BrokerBell"),
        ("shared.chat.actions", "from shared.broker.wire import Published"),
        ("shared.chat.queries", "from importlib import import_module\nimport_module('kombu')"),
        ("shared.accounts.models", "from shared.chat.models import ChatRoom"),
        ("shared.notifications.models", "from shared.chat import models"),
        ("shared.realtime.streams", "from shared.accounts.models import User"),
        ("shared.broker.wire", "from shared.realtime import positions"),
        ("shared.telemetry.health", "from shared.realtime import streams"),
        ("shared.realtime.publish", "import channels.layers"),
        ("services.web.pages.room", "from channels.layers import get_channel_layer"),
        ("services.worker.tasks", "import kombu"),
        ("shared.celery", "from kombu import Queue"),
        ("services.gateway.doorbell", "import msgpack"),
        ("services.web.settings", "import os\nX = os.environ['X']"),
        ("services.web.settings", "from os import environ"),
        ("services.web.settings", "import os\nX = os.getenv('X')"),
        ("services.gateway.plain", "from django.conf import settings"),
        ("services.gateway.limits", "import asyncio"),
        ("services.web.api.messages", "from shared.realtime.publish import publish"),
        ("services.gateway.plain_connection", "from shared.realtime import publish"),
        ("shared.chat.queries", "from shared.realtime.publish import publish"),
        ("shared.chat.queries", "from ..broker import publisher"),
        ("services.web.views", "from ..gateway import hub"),
        ("shared.chat.actions", "from tests.team import actions"),
        (
            "shared.broker.wire",
            "if TYPE_CHECKING:\n    from shared.chat.models import Message",
        ),
    ],
)
def test_seeded_violation(module: str, source: str) -> None:
    """Each rule catches what it forbids, wherever in a module it stands."""
    assert violations(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("services.embedded.bell", "from services.gateway.runtime import the_gateway"),
        ("services.embedded.__main__", "from daphne.server import Server"),
        ("services.gateway.doorbell", "from channels_rabbitmq.core import RabbitmqChannelLayer"),
        ("services.gateway.routing", "from . import handshake"),
        ("shared.chat.actions", "from shared.realtime.publish import publish"),
        ("shared.realtime.publish", "from shared.broker import bell"),
        ("shared.broker.sender", "from kombu import Connection"),
        ("shared.settings.env", "import os\nos.environ.get('X')"),
        ("shared.chat.models", "import os.path"),
        ("services.web.gunicorn.conf", "import os\nos.cpu_count()"),
    ],
)
def test_what_is_allowed(module: str, source: str) -> None:
    """The rules forbid no more than they say."""
    assert violations(module, source) == []
