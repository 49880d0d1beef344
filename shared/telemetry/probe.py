"""
`python -m shared.telemetry.probe 9000 /readyz`: asks a service how it is, for a container's health.

It ends with 0 when all is well, and else with what is not. Nothing but the standard library is
imported: it is run every few seconds.
"""

from __future__ import annotations

import http.client
import sys

__all__ = ["ask"]

_SECONDS = 4.0


def ask(port: int, path: str) -> str | None:
    """Return None when the internal port answers that all is well, else what is wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        words = answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"the internal port does not answer: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else words


def main(arguments: list[str]) -> int:
    port, path = arguments
    if (wrong := ask(int(port), path)) is None:
        return 0
    sys.stderr.write(f"{wrong}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
