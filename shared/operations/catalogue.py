"""
Every finding that `realtime_check` can have, by its id.

An id keeps its meaning for ever; one that is not needed anymore is not given to another finding.
E is an error, W a warning: something that works, and that somebody should know of. The table in
`docs/operations.md` is this one.
"""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning

__all__ = ["MEANINGS", "found"]

MEANINGS = {
    # Settings
    "carillon.E001": "CARILLON_DEBUG is on",
    "carillon.E002": "CARILLON_SECRET_KEY can be guessed",
    "carillon.E003": "BROKER_URL is not set, or has no user and password",
    "carillon.E004": "BROKER_URL uses the account that everybody knows",
    "carillon.W005": "CARILLON_DEMO allows users whose password everybody knows",
    "carillon.W006": "browsers come without TLS",
    "carillon.W007": "several services share one SQLite file",
    # This machine or container
    "carillon.E010": "too few open files are allowed for the connections that were asked for",
    "carillon.W011": "too few open files are allowed for the usual number of connections",
    "carillon.W012": "PROMETHEUS_MULTIPROC_DIR is not set",
    "carillon.E013": "static files were not collected",
    # RabbitMQ
    "carillon.E020": "RabbitMQ cannot be reached",
    "carillon.E021": "RabbitMQ refuses the user or its password",
    "carillon.E022": "the virtual host is not there, or not for this user",
    "carillon.E023": "the user lacks a right that this service needs",
    "carillon.E024": "something is declared otherwise than this version declares it",
    "carillon.E025": "RabbitMQ takes no messages, as under an alarm",
    "carillon.W026": "RabbitMQ is older than what is tested",
    "carillon.W027": "tasks failed ten times and wait for somebody to look",
    # The database
    "carillon.E030": "the database cannot be reached, or refuses",
    "carillon.E031": "PostgreSQL is older than 15",
    "carillon.E032": "the database takes no writes: a standby, or set to read only",
    "carillon.E033": "what is acknowledged could be lost: synchronous_commit or fsync is off",
    "carillon.E034": "migrations were not applied",
    "carillon.E035": "users with the demo password are left",
    "carillon.E036": "the processes' pools may ask for more connections than there are",
    "carillon.W037": "the pools may ask for more than 0.8 of the connections",
    "carillon.W038": "PostgreSQL runs on another timeline than the log knows of",
    "carillon.W039": "something keeps an old snapshot, so that nothing can be cleaned up",
    "carillon.W040": "the clocks of this host and of the database differ",
    # What stands in front of it, with --url
    "carillon.E050": "the public address does not answer, or not for this deployment",
    "carillon.E051": "addresses for operators can be reached from outside",
    "carillon.E052": "no WebSocket comes through",
    "carillon.E053": "a WebSocket of a foreign page comes through",
    "carillon.E054": "headers that a client forges reach the services",
    "carillon.E055": "the services are not told who asks, or by which scheme",
    "carillon.E056": "static files are not served",
    "carillon.W057": "what reaches the services could not be seen",
    # Any of them
    "carillon.E090": "something gave no answer in time, or a check failed itself",
}


def found(id: str, fault: str, remedy: str) -> CheckMessage:
    """Return a finding; its id says whether it is an error or a warning."""
    assert id in MEANINGS, "every id has its meaning here"
    kind = Error if id.startswith("carillon.E") else Warning
    return kind(fault, hint=remedy, id=id)
