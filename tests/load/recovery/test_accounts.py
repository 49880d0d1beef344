"""What clients were told against the log: defects that the benchmark must see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.load.recovery.accounts import Account, take

type Message = dict[str, Any]

LOG = {offset: {"text": f"number {offset}"} for offset in range(1, 11)}
HEAD = 10


def publication(offset: int, data: Mapping[str, Any] | None = None) -> Message:
    return {"offset": offset, "data": LOG[offset] if data is None else data}


def push(offset: int) -> Message:
    return {"push": {"channel": "chat:lobby", "pub": publication(offset)}}


def conversation() -> list[Message]:
    """Somebody hears 3 and 4, is away, catches up with 5 to 8, and hears the last two."""
    recovered = {"epoch": "e", "offset": 4, "was_recovering": True, "recovered": True}
    return [
        {"id": 1, "connect": {"client": "one"}},
        {"id": 2, "subscribe": {"epoch": "e", "offset": 2}},
        push(3),
        {"push": {"channel": "chat:lobby", "pub": {"data": {"num_clients": 2}}}},
        push(4),
        {"id": 1, "connect": {"client": "two"}},
        {"id": 2, "error": {"code": 100, "message": "internal server error"}},
        {"id": 2, "subscribe": {**recovered, "publications": [*map(publication, range(5, 9))]}},
        push(9),
        push(10),
    ]


def faults_of(messages: list[Message]) -> int:
    accounts = {7: Account()}
    take(accounts, ((7, message) for message in messages))
    return accounts[7].faults(LOG, HEAD)


def test_all_that_is_in_the_log() -> None:
    """Who was told everything once and in order has no fault."""
    assert faults_of(conversation()) == 0


def lose_one(messages: list[Message]) -> None:
    del messages[7]["subscribe"]["publications"][1]


def double_one(messages: list[Message]) -> None:
    messages.insert(-1, push(8))


def swap_two(messages: list[Message]) -> None:
    messages[-2:] = reversed(messages[-2:])


def come_back_elsewhere(messages: list[Message]) -> None:
    messages[7]["subscribe"] |= {"offset": 6, "publications": [publication(7), publication(8)]}


def lose_the_last(messages: list[Message]) -> None:
    messages.pop()


def say_something_else(messages: list[Message]) -> None:
    messages[7]["subscribe"]["publications"][0] = publication(5, {"text": "number 6"})


def tell_of_another_epoch(messages: list[Message]) -> None:
    messages[7]["subscribe"]["epoch"] = "f"


def do_not_recover(messages: list[Message]) -> None:
    messages[7]["subscribe"] = {"epoch": "e", "offset": 8, "was_recovering": True}


def tell_of_more(messages: list[Message]) -> None:
    messages.append({"push": {"channel": "chat:lobby", "pub": publication(11, {"text": "?"})}})


@pytest.mark.parametrize(
    "defect",
    [
        lose_one,
        double_one,
        swap_two,
        come_back_elsewhere,
        lose_the_last,
        say_something_else,
        tell_of_another_epoch,
        do_not_recover,
        tell_of_more,
    ],
)
def test_defect(defect: Callable[[list[Message]], None]) -> None:
    """Whatever is wrong with what a client was told is seen."""
    messages = conversation()
    defect(messages)
    assert faults_of(messages) > 0
