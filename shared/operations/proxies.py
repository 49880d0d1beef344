"""What stands in front of the services, asked from outside, as a browser and as somebody worse."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from shared.operations import mirrors
from shared.operations.gateways import Address
from shared.operations.looking import Looked
from shared.operations.surroundings import MANIFEST

__all__ = ["look"]

_SECONDS = 3.0
_OPERATORS = ("/metrics", "/livez", "/readyz", "/drain")
_REFUSALS = {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}
_SOCKET = "/connection/websocket"
# For documentation alone (RFC 5737, RFC 2606): nobody has it.
_FORGED_ADDRESS, _FORGED_HOST = "203.0.113.77", "forged.example"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes


class _Front:
    """The public address, or what stands there, by another way."""

    def __init__(self, url: str, through: Address | None) -> None:
        parts = urlsplit(url.rstrip("/"))
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()
        self.is_secure = parts.scheme == "https"
        self._name, self._netloc = parts.hostname or "", parts.netloc
        port = parts.port or (443 if self.is_secure else 80)
        self._place = (through.host, through.port) if through else (self._name, port)

    def ask(self, path: str, **headers: str) -> _Answer:
        """
        Send a GET on a connection of its own.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        connection = http.client.HTTPConnection(self._name)
        connection.sock = socket.create_connection(self._place, timeout=_SECONDS)
        try:
            if self.is_secure:
                # Whichever way it was reached, the certificate is the public name's.
                connection.sock = ssl.create_default_context().wrap_socket(
                    connection.sock, server_hostname=self._name
                )
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers={"Host": self._netloc, **named})
            answer = connection.getresponse()
            # A socket that was opened has nothing to read, and ends here.
            body = b"" if answer.status == http.HTTPStatus.SWITCHING_PROTOCOLS else answer.read()
            return _Answer(answer.status, body)
        finally:
            connection.close()

    def shake(self, origin: str) -> int:
        """Ask for a WebSocket as a page of an origin would; return the status."""
        return self.ask(
            _SOCKET,
            Connection="Upgrade",
            Upgrade="websocket",
            Origin=origin,
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key=base64.b64encode(secrets.token_bytes(16)).decode(),
        ).status


def look(url: str, through: Address | None = None) -> Looked:
    """
    Look at the deployment from outside.

    Args:
        url: where browsers find it, such as https://chat.example.org.
        through: where to connect to instead, as that name may mean nothing here.
    """
    seen = Looked(facts={"url": url} | ({"through": str(through)} if through else {}))
    # Browsers leave the scheme's own port out, and so do the settings.
    if url.rstrip("/").lower() not in settings.CARILLON_PUBLIC_ORIGINS:
        seen.find(
            "carillon.E050",
            f"{url} is none of CARILLON_PUBLIC_ORIGINS",
            f"Ask one of {', '.join(settings.CARILLON_PUBLIC_ORIGINS)}.",
        )
        return seen
    front = _Front(url, through)
    try:
        _look_at_mirror(seen, front)
        _look_for_operators(seen, front)
        _look_at_sockets(seen, front)
        _look_at_static_files(seen, front)
    except (OSError, http.client.HTTPException) as error:
        place = f"{url} through {through}" if through else url
        seen.find(
            "carillon.E050",
            f"{place} does not answer: {type(error).__name__}: {error}",
            "See that nginx runs, that the name leads there, and that its certificate is right.",
        )
    return seen


def _look_at_mirror(seen: Looked, front: _Front) -> None:
    forged = {
        "X_Real_IP": _FORGED_ADDRESS,
        "X_Forwarded_For": _FORGED_ADDRESS,
        # The one that it is not.
        "X_Forwarded_Proto": "http" if front.is_secure else "https",
        "X_Forwarded_Host": _FORGED_HOST,
        "X_Forwarded_Port": "7777",
        "Forwarded": f"for={_FORGED_ADDRESS};host={_FORGED_HOST}",
        "Daphne_Root_Path": "/forged",
        "X_Request_ID": "forged",
    }
    proof = {mirrors.PROOF_HEADER.replace("-", "_"): mirrors.proof()}
    answer = front.ask(f"/{mirrors.ADDRESS}", **forged, **proof)
    told = _told(answer)
    if told is None:
        seen.find(
            "carillon.W057",
            f"/{mirrors.ADDRESS} answers {answer.status}, and not with what it saw, so nobody "
            "knows which headers come through",
            "See that this runs with the web tier's CARILLON_SECRET_KEY and version, and that "
            "its address is passed on.",
        )
        return
    reached: dict[str, str] = told["headers"]
    through = [
        name
        for name, value in ((name.replace("_", "-"), value) for name, value in forged.items())
        # Whole, or as one of a list to which somebody has added.
        if value in (part.strip() for part in reached.get(name, "").split(","))
    ]
    if through:
        seen.find(
            "carillon.E054",
            f"What a client writes into {', '.join(through)} reaches the services",
            "Have nginx overwrite them, as deploy/nginx does; where something stands before "
            "nginx, let it do the same and name it in CARILLON_NGINX_PROXIES.",
        )
    missing = [name for name in ("X-Real-IP", "X-Forwarded-Proto") if not reached.get(name)]
    # Without https in all origins Django does not look at the scheme.
    if front.is_secure and settings.SESSION_COOKIE_SECURE and not told["is_secure"]:
        missing.append("https")
    if missing:
        seen.find(
            "carillon.E055",
            f"The services are not told {' and '.join(missing)}",
            "Have nginx set X-Real-IP and X-Forwarded-Proto, as deploy/nginx does.",
        )
    seen.facts["client"] = reached.get("X-Real-IP")


def _told(answer: _Answer) -> dict[str, Any] | None:
    """Return what the mirror saw; None where something else has answered, such as a page."""
    if answer.status != http.HTTPStatus.OK:
        return None
    try:
        told: dict[str, Any] = json.loads(answer.body)
    except ValueError:
        return None
    return told


def _look_for_operators(seen: Looked, front: _Front) -> None:
    open_ = [path for path in _OPERATORS if not _is_closed(front.ask(path).status)]
    if open_:
        seen.find(
            "carillon.E051",
            f"{', '.join(open_)} can be reached from outside",
            "Have nginx answer 404 there, and keep CARILLON_INTERNAL_PORT inside.",
        )


def _is_closed(status: int) -> bool:
    # Ours answers 404; whatever stands before it may forbid, or send people to sign in.
    return status in _REFUSALS or 300 <= status < 400


def _look_at_sockets(seen: Looked, front: _Front) -> None:
    status = front.shake(front.origin)
    seen.facts["socket"] = status
    if status != http.HTTPStatus.SWITCHING_PROTOCOLS:
        seen.find(
            "carillon.E052",
            f"A WebSocket to {_SOCKET} is answered with {status} instead of 101",
            "See that what stands in front passes Upgrade and Origin on, and that a gateway is "
            "ready (`manage.py realtime_top --once`).",
        )
        return
    status = front.shake(f"https://{_FORGED_HOST}")
    if status != http.HTTPStatus.FORBIDDEN:
        seen.find(
            "carillon.E053",
            f"A WebSocket of a page at https://{_FORGED_HOST} is answered with {status} instead "
            "of 403",
            "See that nothing in front replaces the header Origin.",
        )


def _look_at_static_files(seen: Looked, front: _Front) -> None:
    manifest = Path(settings.STATIC_ROOT, MANIFEST)
    if not manifest.is_file():
        # Told by the check of this machine, where it has to be there.
        return
    names = sorted(json.loads(manifest.read_text())["paths"].values())
    path = f"{settings.STATIC_URL}{names[0]}" if names else settings.STATIC_URL
    status = front.ask(path).status
    if status != http.HTTPStatus.OK:
        seen.find(
            "carillon.E056",
            f"{path} is answered with {status}",
            "Give nginx the files that `manage.py collectstatic` of this version has collected.",
        )
