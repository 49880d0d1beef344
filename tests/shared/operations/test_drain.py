"""`manage.py drain`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from shared.operations.management.commands import drain
from shared.presence.clients import Condition
from shared.presence.models import Lease
from shared.presence.reports import do_report
from shared.realtime.controls import CONTROLS, Drain, decode, encode
from shared.realtime.history import history
from tests.shared.presence.leases import Writer


def told(*words: str) -> str:
    out = io.StringIO()
    call_command("drain", *words, stdout=out)
    return out.getvalue()


def controls() -> list[dict[str, Any]]:
    return [json.loads(each.data) for each in history(CONTROLS, limit=10).publications]


def test_there_and_back() -> None:
    """What a gateway reads is what was written; it is about no user."""
    assert decode(json.dumps(encode(Drain(gateway="a1b2")))) == Drain(gateway="a1b2")


@pytest.mark.django_db
class TestByName:
    @pytest.mark.parametrize("by", ["name", "uid"])
    def test_told_through_the_log(self, by: str) -> None:
        """By the gateway's name or the process's id; its successor is not meant."""
        one = Writer("one")
        Writer("two")
        assert told("ONE" if by == "name" else one.incarnation) == "one is told to drain.\n"
        assert [control["gateway"] for control in controls()] == [one.incarnation]

    def test_unknown(self) -> None:
        """An error that names those that there are; nobody is told anything."""
        Writer("one")
        Writer("two")
        with pytest.raises(CommandError, match=r"no gateway 'three': choose from one, two\."):
            told("one", "three")
        assert controls() == []

    def test_nobody_is_there(self) -> None:
        """Which is another sentence."""
        with pytest.raises(CommandError, match="none holds a lease in this database"):
            told("one")

    def test_two_processes_of_one_name(self) -> None:
        """As while one takes the other's place: it has to be said which."""
        old, new = Writer("one"), Writer("two")
        Lease.objects.update(gateway="one")
        with pytest.raises(CommandError, match="the name of 2 processes") as caught:
            told("one")
        assert old.incarnation in str(caught.value)
        assert new.incarnation in str(caught.value)

    def test_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """How many are left, whenever that changes, until the lease is gone."""
        lease = Writer("one")
        steps = iter([{"connections": 900.0}, {"connections": 400.0, "draining": 1.0}, None])

        def wait(_: float) -> None:
            items = next(steps)
            if items is None:
                Lease.objects.all().delete()
            else:
                do_report(lease.incarnation, Condition("0.1.0", 1, 1.0, 1, 10.0, items))

        monkeypatch.setattr(drain.time, "sleep", wait)
        lines = told("one", "--wait").splitlines()
        assert lines[:-1] == [
            "one is told to drain.",
            "one has not said that it drains: an unknown number of connections.",
            "one has not said that it drains: 900 connections.",
            "one drains: 400 connections.",
        ]
        assert lines[-1].startswith("one has ended after ")

    def test_waiting_has_an_end(self) -> None:
        """Exit status 1, and who is still there."""
        Writer("one")
        with pytest.raises(CommandError, match=r"Still there after 0\.1 s: one"):
            told("one", "--wait", "0.1")


@contextmanager
def internal_port(status: int) -> Iterator[tuple[str, list[str]]]:
    """A port that answers each POST; it ends with the first that it takes."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"words\n")
            if status == 202:
                server.server_close()
                Thread(target=server.shutdown).start()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TestByAddress:
    """No database is asked."""

    def test_told_and_waited_for(self) -> None:
        """By host and port; it has ended when nobody answers there anymore."""
        with internal_port(202) as (place, asked):
            lines = told(place, "--wait", "5").splitlines()
        assert asked == ["/drain"]
        assert lines[0] == f"{place} is told to drain."
        assert lines[-1].startswith(f"{place} has ended after ")

    def test_another_services_port(self) -> None:
        """It says what was answered."""
        with (
            internal_port(404) as (place, _),
            pytest.raises(CommandError, match="answers 404 words: is that a gateway's"),
        ):
            told(f"http://{place}/drain")

    def test_nobody_answers(self) -> None:
        """It says so."""
        with pytest.raises(CommandError, match=r"127\.0\.0\.1:1 does not answer"):
            told("127.0.0.1:1")
