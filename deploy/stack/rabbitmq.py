"""RabbitMQ as plain processes: a node, a port mapper and accounts of our own."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.credentials import Credentials, write_private
from deploy.stack.errors import MissingProgram
from deploy.stack.layout import Layout
from deploy.stack.probes import answers, listens
from deploy.stack.programs import find
from deploy.stack.service import Service

__all__ = ["ROLES", "broker_url", "rabbitmq"]

VHOST = "carillon"

# What each role may declare (configure), send to (write) and receive from (read). The layer's
# queues are exclusive, so their names are the only thing that gateways have in common.
LAYER = "groups|channels_[A-Za-z]+"
JOBS = r"carillon\..*|celery.*|.*\.celery\.pidbox"
ROLES = {
    "gateway": {"configure": LAYER, "write": LAYER, "read": LAYER},
    "web": {"configure": f"groups|{JOBS}", "write": rf"groups|amq\.default|{JOBS}", "read": JOBS},
    "worker": {
        "configure": f"groups|{JOBS}",
        "write": rf"groups|amq\.default|{JOBS}",
        "read": JOBS,
    },
}


def broker_url(layout: Layout, credentials: Credentials, role: str) -> str:
    password = getattr(credentials, role)
    return f"amqp://{role}:{password}@127.0.0.1:{layout.amqp}/{VHOST}"


def definitions(credentials: Credentials, sandbox: bool) -> str:
    """The vhost and the accounts; with definitions RabbitMQ makes no account `guest`."""
    rights = {
        name: {part: f"^({names})$" for part, names in r.items()} for name, r in ROLES.items()
    }
    if sandbox:
        rights["operator"] = dict.fromkeys(("configure", "write", "read"), ".*")
    users = [
        {
            "name": name,
            "password": getattr(credentials, name),
            "tags": ["monitoring"] if name == "operator" else [],
        }
        for name in (*ROLES, "operator")
    ]
    permissions = [{"user": name, "vhost": VHOST, **parts} for name, parts in rights.items()]
    document = {"users": users, "vhosts": [{"name": VHOST}], "permissions": permissions}
    return json.dumps(document, indent=2) + "\n"


def configuration(layout: Layout, folder: Path) -> str:
    return f"""\
listeners.tcp.1 = 127.0.0.1:{layout.amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {layout.management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {layout.rabbitmq_metrics}
load_definitions = {folder}/definitions.json
heartbeat = 10
log.console = true
log.console.level = info
log.file = false
"""


def rabbitmq(
    layout: Layout, credentials: Credentials, env: Mapping[str, str]
) -> tuple[Service, ...]:
    """Declare the port mapper, which would otherwise start by itself and stay, and the node."""
    server, epmd = find("rabbitmq-server"), find("epmd")
    if server is None or epmd is None:
        raise MissingProgram(["rabbitmq-server"])
    folder = layout.state / "rabbitmq"
    files = {
        "rabbitmq.conf": configuration(layout, folder),
        "definitions.json": definitions(credentials, layout.sandbox),
        "enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
    }

    def prepare() -> None:
        for name, text in files.items():
            write_private(folder / name, text)
        write_private(folder / ".erlang.cookie", credentials.erlang, mode=0o400)

    mapper = {"ERL_EPMD_PORT": str(layout.epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    node = {
        **env,
        **mapper,
        "HOME": str(folder),
        # Not in the folder that it was started from.
        "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
        # The system's own settings are not ours.
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": "carillon@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(layout.amqp),
        "RABBITMQ_DIST_PORT": str(layout.erlang),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        # Idle schedulers sleep instead of spinning: the machine is shared.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }
    port = {layout.amqp: "CARILLON_BASE_PORT"}
    others = (layout.erlang, layout.management, layout.rabbitmq_metrics)
    return (
        Service(
            name="epmd",
            command=(epmd,),
            env={**env, **mapper},
            ready=listens(layout.epmd),
            ports={layout.epmd: "CARILLON_BASE_PORT"},
            address=f"127.0.0.1:{layout.epmd}",
        ),
        Service(
            name="rabbitmq",
            command=(server,),
            env=node,
            needs=("epmd",),
            ready=answers(
                layout.management,
                "/api/health/checks/local-alarms",
                login=f"operator:{credentials.operator}",
            ),
            ports=port | dict.fromkeys(others, "CARILLON_BASE_PORT"),
            prepare=prepare,
            content=json.dumps(files),
            address=f"127.0.0.1:{layout.amqp}",
            start_seconds=90,
            stop_seconds=40,
        ),
    )
