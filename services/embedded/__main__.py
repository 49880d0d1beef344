"""
`python -m services.embedded`: migrate, load the demo, serve. What `make run` starts.

Pages and WebSockets come from one Daphne, bells are calls, the worker is a thread.
"""

from __future__ import annotations

import os
import socket
import sys

from shared.settings import env
from shared.settings.production import in_one_line

env.default_settings_module("services.embedded.settings")


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"Port {port} is taken ({error.strerror}): stop what uses it, "
                f"or choose another one: CARILLON_PORT=8001 make run"
            )


def main() -> None:
    """Serve until Ctrl-C."""
    # The database holds sessions and passwords' hashes: nobody else's to read.
    os.umask(0o077)
    import django

    with in_one_line():
        django.setup()
    from django.conf import settings

    host, port = "127.0.0.1", settings.CARILLON_PORT
    _refuse_taken_port(host, port)

    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if settings.CARILLON_DEMO:
        call_command("load_demo", verbosity=0)

    # Daphne installs its reactor when it is imported; only then may others import it.
    from daphne.server import Server
    from twisted.internet import reactor

    from services.embedded.asgi import application

    def tell() -> None:
        print(  # noqa: T201 - the one line that tells a person where to look
            f"Carillon serves at http://{host}:{port} - sign in as alice or bob, "
            "password carillon. Ctrl-C stops it.",
            flush=True,
        )

    reactor.callWhenRunning(tell)
    Server(
        application,
        endpoints=[f"tcp:port={port}:interface={host}"],
        ping_interval=25,
        ping_timeout=8,
        websocket_timeout=-1,
        websocket_connect_timeout=10,
        websocket_max_message_size=64 * 1024,
        websocket_max_frame_size=64 * 1024,
        server_name="",
        verbosity=0,
    ).run()


if __name__ == "__main__":
    main()
