"""`manage.py realtime_top`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.core.management import CommandError, call_command

from shared.operations import gateways
from shared.operations.gateways import Address, GatewayRow, InvalidAddress
from shared.operations.management.commands import realtime_top
from shared.operations.screen import table
from shared.presence.clients import Condition
from shared.presence.reports import do_report
from tests.shared.presence.leases import Writer


def condition(**items: float) -> Condition:
    return Condition(
        version="0.1.0", uptime=90, cpu=12.5, rss=200 * 2**20, interval=10.0, items=items
    )


class Terminal(io.StringIO):
    """A terminal that keeps what was written."""

    def isatty(self) -> bool:
        return True


def top(*words: str) -> str:
    out = io.StringIO()
    call_command("realtime_top", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestDatabase:
    def test_two_gateways(self) -> None:
        """What each said last, by its name, with rates in a second; and the sum."""
        first, second, dead = Writer("one"), Writer("two"), Writer("three")
        dead.age(60)
        told = {"connections": 812.0, "connections_limit": 10_000.0, "users": 700.0}
        do_report(first.incarnation, condition(**told, messages_sent=50_000, connections_opened=5))
        do_report(second.incarnation, condition(**told, draining=1.0))
        heads, one, two, both = top("--once").splitlines()
        assert heads.split()[:4] == ["GATEWAY", "STATE", "CONNECTIONS", "USERS"]
        assert " ".join(one.split()) == (
            "one up 812 of 10,000 700 0.5 0 0 5,000 0 12 % 200 MiB 1 min 0.1.0"
        )
        assert two.split()[:5] == ["two", "draining", "812", "of", "10,000"]
        assert both.split()[:5] == ["all", "2", "1,624", "of", "20,000"]

    def test_one_that_has_said_nothing_yet(self) -> None:
        """It is there, and nobody knows how it fares."""
        Writer("one")
        [_, one] = top("--once").splitlines()
        assert one.split() == ["one", "up", *"-" * 11]

    def test_one_of_an_older_version(self) -> None:
        """Which says less of itself."""
        do_report(Writer("one").incarnation, condition(messages_sent=10))
        [_, one] = top("--once").splitlines()
        assert one.split()[:4] == ["one", "up", "-", "-"]

    def test_json(self) -> None:
        """For programs, in one line."""
        lease = Writer("one")
        do_report(lease.incarnation, condition(connections=3.0, messages_received=20))
        [line] = top("--once", "--json").splitlines()
        [row] = json.loads(line)["gateways"]
        assert (row["name"], row["uid"]) == ("one", lease.incarnation)
        assert (row["connections"], row["rates"]["received"]) == (3, 2.0)

    def test_nobody(self) -> None:
        """A sentence that says why that may be, and exit status 1."""
        with pytest.raises(CommandError, match="No gateway holds a lease"):
            top("--once")

    @pytest.mark.parametrize("out", [io.StringIO, Terminal])
    def test_live(self, monkeypatch: pytest.MonkeyPatch, out: type[io.StringIO]) -> None:
        """Again and again until Ctrl-C: in place on a terminal, one after the other elsewhere."""
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 1:
                Writer("late")
            else:
                raise KeyboardInterrupt

        monkeypatch.setattr(realtime_top.time, "sleep", wait)
        stdout = out()
        call_command("realtime_top", "--every", "7", stdout=stdout)
        text = stdout.getvalue()
        first, _, second = text.partition("GATEWAY")
        assert "No gateway holds a lease" in first
        assert "late" in second
        assert text.count("\x1b[H") == (2 if out is Terminal else 0)
        assert all(6 < seconds <= 7 for seconds in waits)


EXPOSITION = """\
# TYPE carillon_build_info gauge
carillon_build_info{version="0.1.0",revision="x",python="3.12",service="gateway"} 1
# TYPE carillon_gateway_connections gauge
carillon_gateway_connections{transport="websocket"} 7
# TYPE carillon_gateway_connections_limit gauge
carillon_gateway_connections_limit 100
# TYPE carillon_gateway_messages_sent counter
carillon_gateway_messages_sent_total{kind="chat"} %d
carillon_gateway_messages_sent_total{kind="user"} 5
# TYPE process_cpu_seconds counter
process_cpu_seconds_total %d
"""


@contextmanager
def exposing() -> Iterator[Address]:
    """Serve metrics that grow with each reading."""
    readings = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal readings
            readings += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write((EXPOSITION % (100 * readings, readings)).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Address("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()


class TestMetrics:
    def test_rates_are_of_the_time_between_two_readings(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first reading has none."""
        moments = iter([10.0, 12.0])
        monkeypatch.setattr(gateways.time, "monotonic", lambda: next(moments))
        with exposing() as place:
            scraper = gateways.Scraper([place])
            [first], [second] = scraper.read(), scraper.read()
        assert (first.connections, first.limit, first.rates, first.cpu) == (7, 100, {}, None)
        assert second.rates is not None
        assert (second.rates["sent"], second.cpu, second.version) == (50.0, 50.0, "0.1.0")

    def test_once(self) -> None:
        """By host and port, a URL, and a name; one that does not answer is told to be away."""
        with exposing() as place:
            port = place.port
            text = top(
                "--once",
                *("--metrics", f"127.0.0.1:{port}"),
                *("--metrics", f"http://127.0.0.1:{port}/metrics"),
                *("--metrics", "127.0.0.1:1"),
            )
        assert [line.split()[:2] for line in text.splitlines()[1:]] == [
            ["127.0.0.1:1", "away"],
            [f"127.0.0.1:{port}", "up"],
            ["all", "2"],
        ]

    def test_a_name_is_all_of_its_addresses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As of a headless service; asked again at each reading."""
        found = [[("10.0.0.1", 9000)], [("10.0.0.1", 9000), ("10.0.0.2", 9000)]]

        def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(2, 1, 6, "", address) for address in found.pop(0)]

        monkeypatch.setattr(gateways.socket, "getaddrinfo", resolve)
        monkeypatch.setattr(gateways, "_scrape", lambda _: None)
        scraper = gateways.Scraper([Address("gateways", 9000)])
        assert [row.name for row in scraper.read()] == ["10.0.0.1:9000"]
        assert [row.name for row in scraper.read()] == ["10.0.0.1:9000", "10.0.0.2:9000"]

    @pytest.mark.parametrize("text", ["https://gateway", "gateway:port", "gateway:99999", "[::1"])
    def test_no_address(self, text: str) -> None:
        """It is refused with the form."""
        with pytest.raises(InvalidAddress, match="host:port"):
            Address.read(text)

    def test_none_answers(self) -> None:
        """Exit status 1."""
        with pytest.raises(CommandError, match="None of these addresses"):
            top("--once", "--metrics", "127.0.0.1:1")


def test_gateway_without_a_limit() -> None:
    """Then there is none of all of them, either."""
    rows = [GatewayRow("a", connections=1, limit=0), GatewayRow("b", connections=2, limit=10)]
    assert table(rows)[-1].split()[:3] == ["all", "2", "3"]
