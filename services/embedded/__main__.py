"""
`python -m services.embedded`: migrate, load the demo, serve. What `make run` starts.

Pages and WebSockets come from one Daphne, bells are calls, the worker is a thread.
"""

from __future__ import annotations

import socket
import sys

from shared.settings import env

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
    import django

    django.setup()
    from django.conf import settings

    host, port = "127.0.0.1", settings.CARILLON_PORT
    _refuse_taken_port(host, port)

    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("load_demo", verbosity=0)

    # Daphne installs its reactor when it is imported; only then may others import it.
    from daphne.server import Server
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
    from django.core.asgi import get_asgi_application
    from twisted.internet import reactor

    from services.embedded import bell, worker
    from services.gateway.routing import with_http
    from services.gateway.runtime import the_gateway

    def started() -> None:
        bell.listen()
        the_gateway().start()
        worker.start()
        print(  # noqa: T201 - the one line that tells a person where to look
            f"Carillon serves at http://{host}:{port} - sign in as alice or bob, "
            "password carillon. Ctrl-C stops it.",
            flush=True,
        )

    # At start-up the event loop does not run yet; a moment later it does.
    reactor.callWhenRunning(reactor.callLater, 0, started)
    Server(
        with_http(ASGIStaticFilesHandler(get_asgi_application())),
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
