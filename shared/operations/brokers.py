"""RabbitMQ, with the eyes of this service's account."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from shared.broker.inspection import Fault, inspect
from shared.broker.topology import DEAD_LETTERS
from shared.operations.looking import Looked

__all__ = ["look"]

# What the tests run on.
_OLDEST = (3, 10)

_FINDINGS = {
    Fault.AWAY: (
        "carillon.E020",
        "RabbitMQ at {place} cannot be reached: {words}",
        "See that it runs and that BROKER_URL and the network lead there; services wait for it.",
    ),
    Fault.LOGIN: (
        "carillon.E021",
        "RabbitMQ at {place} refuses {user}: {words}",
        "Give BROKER_URL the user's password (`rabbitmqctl change_password`).",
    ),
    Fault.VHOST: (
        "carillon.E022",
        "RabbitMQ at {place} does not let {user} into {vhost}: {words}",
        "Make the virtual host and give the user its rights there (`rabbitmqctl set_permissions`).",
    ),
    Fault.RIGHTS: (
        "carillon.E023",
        "{user} lacks a right: {words}",
        "Give the role the rights that docs/operations.md lists (`rabbitmqctl set_permissions`).",
    ),
    Fault.TOPOLOGY: (
        "carillon.E024",
        "RabbitMQ has something that is declared otherwise: {words}",
        "Give Carillon a virtual host of its own, or delete what is in the way.",
    ),
    Fault.BLOCKED: (
        "carillon.E025",
        "RabbitMQ takes no messages: {words}",
        "See `rabbitmq-diagnostics alarms`: free memory or disk; until then the log delivers.",
    ),
}


def look() -> Looked:
    """Do what this service does on the broker, once."""
    seen = Looked()
    url = urlsplit(settings.BROKER_URL)
    if not url.hostname:
        # Not set: the embedded form has none, and the settings' own check tells the others.
        return seen
    place = f"{url.hostname}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}"
    is_gateway = settings.CARILLON_SERVICE == "gateway"
    told = inspect(settings.BROKER_URL, hears_bells=is_gateway, has_jobs=not is_gateway)
    seen.facts = {"place": place, "user": url.username, "vhost": url.path[1:]}
    if told.version:
        seen.facts |= {"version": told.product, "cluster": told.cluster, "queues": told.queues}
        if _numbers(told.version) < _OLDEST:
            seen.find(
                "carillon.W026",
                f"{told.product} is older than what is tested",
                f"Use {'.'.join(map(str, _OLDEST))} or newer.",
            )
    for fault, words in told.faults:
        id, sentence, remedy = _FINDINGS[fault]
        given = {"place": place, "user": url.username, "vhost": url.path[1:], "words": words}
        seen.find(id, sentence.format(**given), remedy)
    if failed := told.queues.get(DEAD_LETTERS.name):
        seen.find(
            "carillon.W027",
            f"{failed} tasks that failed ten times wait in {DEAD_LETTERS.name}",
            "Look at them, mend what they failed at, then send them again or purge the queue.",
        )
    return seen


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts if part.isdigit()) or _OLDEST
