"""
`python -m tests.load.live.publisher`: somebody who speaks in a room, in a process of their own.

It calls the action that the API calls, so a message is a transaction with its row and its place in
the log, and reaches the gateway over RabbitMQ. Its environment is that of a web process.

    say USER ROOM COUNT RATE BYTES     so many a second, each with its number and when it was due

A command a line on stdin, an answer a line on stdout, in JSON; it ends with stdin.
"""

from __future__ import annotations

import json
import sys
import time

import django

# First of all that knows models.
django.setup()

from shared.accounts.models import User  # noqa: E402
from shared.chat.actions import do_send_message  # noqa: E402

# What the load client looks for in a message.
MARK = "load-"


def words(number: int, due: float, size: int) -> str:
    """Return a message's text: a mark, its number, when it was due, and as much as is wanted."""
    return f"{MARK}{number:016x}{int(due * 1e9):016x}".ljust(size, "x")


def main() -> int:
    said = 0
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        _, user_id, room, count, per_second, size = line.split()
        user = User.objects.get(pk=int(user_id))
        began = time.monotonic()
        busy = 0.0
        for done in range(int(count)):
            due = began + done / float(per_second)
            time.sleep(max(0.0, due - time.monotonic()))
            said += 1
            started = time.monotonic()
            do_send_message(user, room, words(said, due, int(size)))
            busy += time.monotonic() - started
        answer = {"messages": int(count), "seconds": time.monotonic() - began, "busy": busy}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
