"""
`python -m tests.load.fanout.nchan FOLDER`: nginx with Debian's nchan, which FOLDER has unpacked.

It writes its port to stdout and becomes nginx, one process; it ends with stdin.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MODULE = "usr/lib/nginx/modules/ngx_nchan_module.so"

CONFIGURATION = """\
load_module {module};
daemon off;
master_process off;
pid {place}/pid;
error_log stderr crit;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /sub {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_websocket_ping_interval 25;
            nchan_channel_id room;
        }}
        location = /pub {{
            nchan_publisher websocket;
            nchan_message_buffer_length 1000;
            nchan_channel_id room;
        }}
    }}
}}
"""
FILES = 20_000


def main(arguments: list[str]) -> None:
    (folder,) = arguments
    place = tempfile.mkdtemp(prefix="nchan-", dir=folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    configuration = Path(place, "nginx.conf")
    configuration.write_text(
        CONFIGURATION.format(
            module=Path(folder).resolve() / MODULE, place=place, port=port, files=FILES
        )
    )
    nginx = os.getpid()
    if os.fork() == 0:
        # nginx neither says when it listens, nor does it care for stdin.
        tell_when_listening(port)
        sys.stdin.read()
        if os.getppid() == nginx:
            # Asked to end, it frees something twice and says so.
            os.kill(nginx, signal.SIGKILL)
        shutil.rmtree(place, ignore_errors=True)
        os._exit(0)
    os.execvp("nginx", ["nginx", "-p", place, "-c", str(configuration)])


def tell_when_listening(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            print(port, flush=True)
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1:])
