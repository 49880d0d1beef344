from __future__ import annotations

import json

import pytest

from services.gateway.centrifuge.commands import Subscribe, read
from services.gateway.centrifuge.connection import (
    MOST_HISTORY,
    MOST_SUBSCRIPTIONS,
    Connection,
)
from services.gateway.centrifuge.steps import End, Heard, Say, Step, Work
from services.gateway.closecodes import CloseCode
from shared.realtime.exceptions import InvalidChannel, UnknownNamespace


def find(channel: str) -> object:
    """Know the namespace `chat` alone."""
    if ":" not in channel or " " in channel:
        raise InvalidChannel(channel)
    if not channel.startswith("chat:"):
        raise UnknownNamespace(channel)
    return object()


class Talk:
    """A connection and the commands that it is told, a second apart."""

    def __init__(self) -> None:
        self.now = 0.0
        # What the client hears by now.
        self.heard: set[str] = set()
        self.rules = Connection(self.now, find, is_heard=self.heard.__contains__)

    def say(self, *commands: dict[str, object], seconds: float = 1.0) -> list[Step]:
        self.now += seconds
        frame = "\n".join(json.dumps(each) for each in commands)
        return [self.rules.begin(command, self.now) for command in read(frame)]

    def connected(self) -> Talk:
        (step,) = self.say({"id": 1, "connect": {}})
        assert isinstance(step, Work)
        self.rules.connected()
        return self

    def error(self, **command: object) -> int:
        """The code of the error that answers a command."""
        (step,) = self.say({"id": 2, **command})
        assert isinstance(step, Say), step
        answer = json.loads(step.text)
        assert answer["id"] == 2
        return int(answer["error"]["code"])


@pytest.fixture
def talk() -> Talk:
    return Talk().connected()


BAD = End(CloseCode.BAD_REQUEST)


def test_first_command_is_connect() -> None:
    """Anything else ends it, and so does a second one."""
    assert Talk().say({"id": 1, "subscribe": {"channel": "chat:a"}}) == [BAD]
    assert Talk().say({}) == [BAD]
    assert Talk().connected().say({"id": 2, "connect": {}}) == [BAD]


def test_commands_wait_for_connect_to_succeed() -> None:
    """Those that come in its frame are judged when it is done; where it failed, they count not."""
    talk = Talk()
    first, second = talk.say(
        {"id": 1, "connect": {}}, {"id": 2, "subscribe": {"channel": "chat:a"}}
    )
    assert isinstance(first, Work)
    assert second == BAD


def test_pong_is_heard(talk: Talk) -> None:
    """Whether it was asked for is the heart's to know."""
    assert talk.say({}) == [Heard()]


def test_subscribe_twice(talk: Talk) -> None:
    """Also while the first one is under way; not after it has ended."""
    (step,) = talk.say({"id": 2, "subscribe": {"channel": "chat:a"}})
    assert step == Work(2, Subscribe(channel="chat:a"))
    assert talk.error(subscribe={"channel": "chat:a"}) == 105
    assert talk.rules.forget("chat:a")
    assert isinstance(talk.say({"id": 3, "subscribe": {"channel": "chat:a"}})[0], Work)


def test_one_subscription_too_many(talk: Talk) -> None:
    """The limit is an error, the connection stays."""
    for number in range(MOST_SUBSCRIPTIONS):
        talk.say({"id": 9, "subscribe": {"channel": f"chat:{number}"}})
    assert talk.error(subscribe={"channel": "chat:more"}) == 106
    talk.rules.forget("chat:0")
    assert isinstance(talk.say({"id": 3, "subscribe": {"channel": "chat:more"}})[0], Work)


@pytest.mark.parametrize(
    "method", ["subscribe", "publish", "history", "presence", "presence_stats"]
)
@pytest.mark.parametrize(
    ("channel", "code"), [("no channel", 107), ("nameless", 102), ("other:a", 102)]
)
def test_channel_that_is_not_there(talk: Talk, method: str, channel: str, code: int) -> None:
    """Its name, or its namespace, is refused without a query."""
    assert talk.error(**{method: {"channel": channel, "data": {}}}) == code


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"subscribe": {"channel": "chat:a", "type": 1}}, 108),
        ({"subscribe": {"channel": "chat:a", "tf": {"op": "and"}}}, 107),
        ({"publish": {"channel": "chat:a"}}, 107),
        ({"publish": {"channel": "chat:a", "data": "text"}}, 107),
        ({"publish": {"channel": "chat:a", "data": {}, "type": 1}}, 108),
        ({"history": {"channel": "chat:a", "reverse": True, "since": {"offset": 0}}}, 107),
        ({"sub_refresh": {"channel": "chat:a", "token": "x", "type": 2}}, 108),
        ({"subscribe": {"channel": 7}}, 107),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_an_error(talk: Talk, command: dict[str, object], code: int) -> None:
    """The connection stays."""
    assert talk.error(**command) == code


def test_unknown_delta_and_send_without_a_handler(talk: Talk) -> None:
    """The protocol ends connections for these."""
    wanted = {"id": 2, "subscribe": {"channel": "chat:a", "delta": "other"}}
    assert talk.say(wanted) == [BAD]
    assert Talk().connected().say({"send": {"data": 1}}) == [End(CloseCode.NOT_AVAILABLE)]


def test_offered_delta_is_not_taken(talk: Talk) -> None:
    """No answer means no, and the subscription goes on without."""
    (step,) = talk.say({"id": 2, "subscribe": {"channel": "chat:a", "delta": "fossil"}})
    assert isinstance(step, Work)


@pytest.mark.parametrize(
    ("asked", "given"), [(-1, MOST_HISTORY), (10**9, MOST_HISTORY), (0, 0), (5, 5)]
)
def test_history_is_capped(talk: Talk, asked: int, given: int) -> None:
    """All that there is means as much as one answer may hold."""
    (step,) = talk.say({"id": 2, "history": {"channel": "chat:a", "limit": asked}})
    assert isinstance(step, Work)
    assert step.request.limit == given  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("command", "burst"),
    [
        ({"publish": {"channel": "chat:a", "data": {}}}, 40),
        ({"rpc": {"method": "a.b"}}, 40),
        ({"unsubscribe": {"channel": "chat:a"}}, 256),
        ({"presence": {"channel": "chat:a"}}, 256),
        ({"history": {"channel": "chat:a"}}, 256),
        ({"refresh": {"token": "t"}}, 256),
        ({"sub_refresh": {"channel": "chat:a", "token": "t"}}, 256),
    ],
    ids=str,
)
def test_flooding_ends_it(talk: Talk, command: dict[str, object], burst: int) -> None:
    """First errors that say to wait, then the end of who does not, whatever it asks for."""
    steps = [
        step for _ in range(60) for step in talk.say(*[{"id": 5, **command}] * 60, seconds=0.1)
    ]
    kinds = [type(step) for step in steps]
    assert kinds[:burst] == [Work] * burst
    assert talk.rules.rest > 0
    answers = [json.loads(step.text)["error"] for step in steps if isinstance(step, Say)]
    assert {(each["code"], each["temporary"]) for each in answers} == {(111, True)}
    assert steps[-1] == End(CloseCode.TOO_MANY_REQUESTS)


def test_return_with_many_channels_is_no_flood(talk: Talk) -> None:
    """A client that comes back subscribes to all that it had, at once."""
    commands = [
        {"id": n + 2, "subscribe": {"channel": f"chat:{n}"}} for n in range(MOST_SUBSCRIPTIONS)
    ]
    assert all(isinstance(step, Work) for step in talk.say(*commands, seconds=0))


def test_nothing_is_done_after_the_end(talk: Talk) -> None:
    """Whatever was on its way."""
    talk.rules.end()
    assert talk.say({"id": 2, "subscribe": {"channel": "chat:a"}}) == [BAD]


def test_connect_with_channels_that_are_not_there() -> None:
    """Such a list was not made by us."""
    assert Talk().say({"id": 1, "connect": {"subs": {"other:a": {}}}}) == [BAD]
    many = {f"chat:{n}": {} for n in range(MOST_SUBSCRIPTIONS + 1)}
    assert Talk().say({"id": 1, "connect": {"subs": many}}) == [End(CloseCode.CHANNEL_LIMIT)]


def test_private_channel_needs_a_token() -> None:
    """To subscribe; all else is for those whose token has been taken."""
    rules = Talk()
    rules.rules = Connection(0.0, lambda channel: None, is_heard=rules.heard.__contains__)
    talk = rules.connected()
    assert talk.error(subscribe={"channel": "$chat:a"}) == 103
    for command in (
        {"publish": {"channel": "$chat:a", "data": {}}},
        {"history": {"channel": "$chat:a"}},
    ):
        assert talk.error(**command) == 103
    (step,) = talk.say({"id": 3, "subscribe": {"channel": "$chat:a", "token": "t"}})
    assert isinstance(step, Work)
    assert talk.error(publish={"channel": "$chat:a", "data": {}}) == 103
    rules.heard.add("$chat:a")
    (step,) = talk.say({"id": 4, "publish": {"channel": "$chat:a", "data": {}}})
    assert isinstance(step, Work)
