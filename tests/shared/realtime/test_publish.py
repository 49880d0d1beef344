from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction

from shared.broker.wire import Published
from shared.realtime.drafts import DATA_BYTES
from shared.realtime.exceptions import InvalidChannel, InvalidData, UnknownNamespace
from shared.realtime.history import history
from shared.realtime.models import Publication, Stream
from shared.realtime.publish import (
    Addressed,
    Draft,
    apublish,
    apublish_many,
    publish,
    publish_fan_out,
    publish_many,
)
from tests.shared.realtime.conftest import Thin

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]


def stored(channel: str) -> list[tuple[int, Any]]:
    page = history(channel).publications
    return [(each.offset, json.loads(each.data).get("n")) for each in page]


class Undone(Exception):
    pass


def test_offsets_are_contiguous(rings: Rings) -> None:
    """Offsets count from 1 by 1; result, bell and log agree."""
    published = [publish("notes:a", {"n": number}) for number in range(1, 6)]
    assert [each.offset for each in published] == [1, 2, 3, 4, 5]
    assert len({each.epoch for each in published}) == 1
    assert rings == [[each] for each in published]
    assert history("notes:a").publications == published


def test_many_keep_their_order(rings: Rings) -> None:
    """Results stand in the order of the drafts, channels mixed; one bell carries all."""
    drafts = [Draft(f"notes:{'abc'[n % 3]}", {"n": n}) for n in range(12)]
    published = publish_many(drafts)
    assert [json.loads(each.data)["n"] for each in published] == list(range(12))
    assert [each.channel for each in published] == [draft.channel for draft in drafts]
    assert rings == [published]
    assert stored("notes:a") == [(1, 0), (2, 3), (3, 6), (4, 9)]
    assert stored("notes:c") == [(1, 2), (2, 5), (3, 8), (4, 11)]
    again = publish_many([Draft("notes:c", {"n": 12}), Draft("notes:d", {"n": 13})])
    assert [each.offset for each in again] == [5, 1]


def test_nothing_to_publish(rings: Rings) -> None:
    """No drafts are no publications and no bell."""
    assert publish_many([]) == []
    assert rings == []


def test_bell_after_commit(rings: Rings) -> None:
    """Nobody hears of it before the transaction is over."""
    with transaction.atomic():
        publish("notes:a", {"n": 1})
        assert rings == []
    assert len(rings) == 1


def test_rollback_publishes_nothing(rings: Rings) -> None:
    """A transaction that rolls back leaves no publication, no bell and no used offset."""
    publish("notes:a", {"n": 1})
    rings.clear()
    with suppress(Undone), transaction.atomic():
        publish_many([Draft("notes:a", {"n": 2}), Draft("notes:new", {"n": 3})])
        raise Undone
    assert rings == []
    assert stored("notes:a") == [(1, 1)]
    assert publish("notes:a", {"n": 4}).offset == 2
    assert publish("notes:new", {"n": 5}).offset == 1


def test_savepoint_publishes_only_the_rest(rings: Rings) -> None:
    """A nested savepoint that rolls back takes its publications along, and only them."""
    with transaction.atomic():
        publish("notes:a", {"n": 1})
        with suppress(Undone), transaction.atomic():
            publish("notes:a", {"n": 2})
            publish("notes:a", {"n": 3})
            with transaction.atomic():
                publish("notes:a", {"n": 4})
            raise Undone
        publish("notes:a", {"n": 5})
    assert stored("notes:a") == [(1, 1), (2, 5)]
    heard = [json.loads(each.data)["n"] for ring in rings for each in ring]
    assert heard == [1, 5]


def test_without_history(rings: Rings) -> None:
    """A namespace without history rings and keeps nothing; the publication has no offset."""
    with suppress(Undone), transaction.atomic():
        publish("passing:a", {"n": 1})
        raise Undone
    assert rings == []
    published = publish("passing:a", {"n": 2})
    assert (published.epoch, published.offset) == ("", 0)
    assert rings == [[published]]
    assert not Stream.objects.filter(channel="passing:a").exists()


def test_with_and_without_history_together(rings: Rings) -> None:
    """One call may mix both; equal drafts are still publications of their own."""
    same = Draft("notes:a", {"n": 1})
    drafts = [same, Draft("passing:a", {"n": 2}), same, Draft("passing:a", {"n": 2})]
    published = publish_many(drafts)
    assert [each.offset for each in published] == [1, 0, 2, 0]
    assert rings == [published]


def test_thin_publication(rings: Rings) -> None:
    """The log keeps the ref; readers get what the row says now, one load per read."""
    Thin.rows = {7: {"text": "as it is now"}, 9: {"text": "nine"}}
    sent = publish("thin:a", {"text": "as it was"}, ref=7)
    publish_many([Draft("thin:a", {"text": "?"}, ref=8), Draft("thin:a", {"text": "?"}, ref=9)])
    assert json.loads(sent.data) == {"text": "as it was"}
    assert list(Publication.objects.order_by("offset").values_list("ref", "data")) == [
        (7, None),
        (8, None),
        (9, None),
    ]
    read = [json.loads(each.data) for each in history("thin:a").publications]
    assert read == [{"text": "as it is now"}, {"type": "redacted"}, {"text": "nine"}]
    assert Thin.loads == [[7, 8, 9]]


NOT_STORABLE: dict[str, Any] = {
    "no object": ["a"],
    "a text": "a",
    "a number as key": {1: object()},
    "a class": {"n": object()},
    "half a surrogate pair": {"n": "\ud800"},
    "half a pair as key": {"\udc00": 1},
    "65 KiB": {"n": "x" * 65 * 1024},
    "over the limit in bytes alone": {"n": "鐘" * (DATA_BYTES // 3)},
}


@pytest.mark.parametrize("data", NOT_STORABLE.values(), ids=NOT_STORABLE)
def test_invalid_data(rings: Rings, data: Mapping[str, object]) -> None:
    """What cannot be kept and sent as one JSON object is refused before anything is written."""
    with pytest.raises(InvalidData) as caught:
        publish("notes:a", data)
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidData):
        publish_many([Draft("notes:b", {"n": 1}), Draft("passing:b", data)])
    assert not Stream.objects.filter(channel__startswith="notes:").exists()
    assert rings == []


def test_deep_nesting_is_refused() -> None:
    """Data nested without end is refused like any other, not a crash."""
    data: dict[str, object] = {}
    for _ in range(50_000):
        data = {"n": data}
    with pytest.raises(InvalidData):
        publish("notes:a", data)


def test_numbers_that_json_lacks() -> None:
    """NaN and infinities become null, as a browser would write them; nobody gets invalid JSON."""
    published = publish("notes:a", {"n": [float("nan"), float("-inf"), 1e300]})
    assert json.loads(published.data) == {"n": [None, None, 1e300]}


def test_any_character() -> None:
    """NUL, too, is kept: JSON writes it as an escape, which PostgreSQL can store."""
    data = {"n": "a\0b\u2028\uffff😀", "k\0": 1}
    publish("notes:a", data)
    assert json.loads(history("notes:a").publications[0].data) == data


def test_largest_data() -> None:
    """64 KiB as JSON are taken, and come back the same."""
    data = {"n": "x" * (DATA_BYTES - len('{"n":""}'))}
    assert len(publish("notes:a", data).data) == DATA_BYTES
    assert json.loads(history("notes:a").publications[0].data) == data


@pytest.mark.parametrize(
    "channel", ["notes", "notes:a\n", "Notes:a", "notes:\0", "notes:" + "x" * 256]
)
def test_invalid_channel(channel: str) -> None:
    """A malformed channel is refused, alone or among others, and nothing is written."""
    with pytest.raises(InvalidChannel):
        publish(channel, {})
    with pytest.raises(InvalidChannel):
        publish_many([Draft("notes:a", {}), Draft(channel, {})])
    assert not Publication.objects.exists()


def test_unknown_namespace() -> None:
    """A channel that nobody declared is refused."""
    with pytest.raises(UnknownNamespace):
        publish_many([Draft("notes:a", {}), Draft("nobodys:a", {})])
    assert not Publication.objects.exists()


async def test_from_asynchronous_code(rings: Rings) -> None:
    """The asynchronous doors do what the others do."""
    first = await apublish("notes:a", {"n": 1})
    rest = await apublish_many([Draft("notes:a", {"n": 2}), Draft("passing:a", {"n": 3})])
    assert [first.offset, *(each.offset for each in rest)] == [1, 2, 0]
    assert rings == [[first], rest]
    await sync_to_async(connections.close_all)()


def test_fan_out(rings: list[list[Published]]) -> None:
    """Many thin publications that share their data: each with its place, its own part, its ref."""
    Thin.rows = {n: {"a": 1, "id": n} for n in range(1, 4)}
    publish("thin:2", {"before": True})
    rings.clear()
    addressed = [Addressed(str(n), n, {"id": n}, 0) for n in (3, 1, 2)]
    publish_fan_out("thin", [{"a": 1}], addressed)
    [rung] = rings
    found = {each.channel: (each.offset, json.loads(each.data)) for each in rung}
    assert found == {
        "thin:1": (1, {"id": 1, "a": 1}),
        "thin:2": (2, {"id": 2, "a": 1}),
        "thin:3": (1, {"id": 3, "a": 1}),
    }
    for each in rung:
        read = history(each.channel).publications[-1]
        assert (read.epoch, read.offset) == (each.epoch, each.offset)
        assert json.loads(read.data) == json.loads(each.data)


def test_fan_out_to_channels_of_some_users(rings: list[list[Published]]) -> None:
    """Names may hold commas, which part nothing."""
    Thin.rows = {1: {"a": 1}, 2: {"a": 1}}
    topics = {"x#7,12": 1, "x#7": 2}
    addressed = [Addressed(topic, ref, {"id": ref}, 0) for topic, ref in topics.items()]
    publish_fan_out("thin", [{"a": 1}], addressed)
    for topic in topics:
        assert [each.offset for each in history(f"thin:{topic}").publications] == [1]


def test_fan_out_refused(rings: list[list[Published]]) -> None:
    """Nobody is nothing; channels without rules and data that is none are refused as a whole."""
    publish_fan_out("thin", [{"a": 1}], [])
    with pytest.raises(UnknownNamespace):
        publish_fan_out("nobody", [{"a": 1}], [Addressed("1", 1, {}, 0)])
    with pytest.raises(InvalidChannel):
        publish_fan_out("thin", [{"a": 1}], [Addressed("a b", 1, {}, 0)])
    with pytest.raises(InvalidData):
        publish_fan_out("thin", [{"a": "x" * 70_000}], [Addressed("1", 1, {}, 0)])
    assert rings == []
    assert not Publication.objects.exists()
