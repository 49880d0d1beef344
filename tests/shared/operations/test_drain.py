"""`manage.py drain`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from shared.operations.draining import draining_of
from shared.operations.gateways import Address, GatewayRow, Scraper
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
    """A port that answers; it ends with the first POST that it takes."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"carillon_gateway_draining 0\n")

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


def seen(readings: Sequence[tuple[int, str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states that are shown until it has ended, by uptime and state as they are read."""
    rows = iter([GatewayRow("here", state=state, uptime=up) for up, state in readings])
    with monkeypatch.context() as patched:
        patched.setattr(Address, "read", lambda _: Address("127.0.0.1", 1))
        patched.setattr(Scraper, "read", lambda _: [next(rows)])
        [one] = draining_of(["127.0.0.1:1"])
        return [row.state for row in iter(one.look, None) if row is not None]


class TestByAddress:
    """No database is asked."""

    def test_told_and_waited_for(self) -> None:
        """By host and port; it has ended when nobody answers there anymore."""
        with internal_port(202) as (place, asked):
            lines = told(place, "--wait", "5").splitlines()
        assert asked == ["/drain"]
        assert lines[0] == f"{place} is told to drain."
        assert lines[-1].startswith(f"{place} has ended after ")

    def test_name_of_several(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a service of compose: nobody is told, and an error says between which to choose."""
        with internal_port(202) as (place, asked), internal_port(202) as (other, _):
            several = [Address.read(place), Address.read(other)]
            monkeypatch.setattr(Address, "each", lambda self: several)
            with pytest.raises(CommandError, match="stands for 2 addresses") as caught:
                told("gateway:9000", "--wait", "5")
            assert asked == []
        assert place in str(caught.value)
        assert other in str(caught.value)

    def test_name_of_which_one_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As `localhost`, which is two addresses on many hosts."""
        with internal_port(202) as (place, asked):
            several = [Address("127.0.0.1", 1), Address.read(place)]
            resolved = {"localhost": several}
            monkeypatch.setattr(Address, "each", lambda self: resolved.get(self.host, [self]))
            lines = told("localhost:9000", "--wait", "5").splitlines()
        assert asked == ["/drain"]
        assert lines[0] == "localhost:9000 is told to drain."
        assert lines[-1].startswith("localhost:9000 has ended after ")

    def test_late_with_one_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has not ended because one answer did not come in time."""
        readings = [(9, "up"), (0, "away"), (11, "draining"), (0, "away"), (0, "away")]
        assert seen(readings, monkeypatch) == ["up", "draining", "draining"]

    def test_successor_at_the_same_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever is started in its place is not the one that was told."""
        readings = [(9, "up"), (10, "draining"), (1, "up")]
        assert seen(readings, monkeypatch) == ["draining"]

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
