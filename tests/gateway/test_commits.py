from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, connection
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.gateway import commits
from services.gateway.commits import Commits
from services.gateway.database import DatabaseAway, DatabaseThreads
from shared.accounts.commands import Suspended
from shared.accounts.models import User
from shared.broker.wire import Published
from shared.chat.actions import do_create_room
from shared.chat.models import ChatRoom, Message
from shared.realtime import namespaces
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.history import history
from shared.realtime.namespaces import Namespace, Outcome
from shared.realtime.publish import Draft, publish, publish_many
from tests.gateway.peer import eventually
from tests.gateway.test_database_away import nobody_can_write

pytestmark = pytest.mark.django_db(transaction=True)
type Asked = Sequence[tuple[AbstractUser, str, Mapping[str, Any]]]


class Words(Namespace):
    """
    Stores words, notes which came together, and can be held up.

    A batch with "broken" in it fails after all of it was published; "wrong" is refused.
    """

    name = "words"
    history_size = 1_000

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()
        # How many are answered at once.
        self.most = 1_000
        self.error: Exception = IntegrityError("as a set it does not work")

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        return channel != "words:closed"

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        self.batches.append([data["word"]])
        self.go.wait(5)
        if data["word"] == "broken":
            raise ValueError("a mistake")
        if data["word"] == "wrong":
            raise Refused(ErrorCode.CONTENT_REFUSED, "Say something else.")
        return Outcome(publish(channel, data))

    def on_publish_each(self, wanted: Asked) -> Sequence[Outcome | Refused]:
        wanted = wanted[: self.most]
        words = [data["word"] for _, _, data in wanted]
        self.batches.append(words)
        self.go.wait(5)
        drafts = [Draft(name, data) for _, name, data in wanted if data["word"] != "wrong"]
        stored = iter(publish_many(drafts))
        if "broken" in words:
            raise self.error
        return [
            Refused(ErrorCode.CONTENT_REFUSED, "Say something else.")
            if word == "wrong"
            else Outcome(next(stored))
            for word in words
        ]


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Words:
    monkeypatch.setattr(namespaces, "_registry", dict(namespaces._registry))
    namespaces.register(Words)
    made = namespaces.named("words")
    assert isinstance(made, Words)
    return made


@pytest.fixture
async def database() -> AsyncIterator[DatabaseThreads]:
    made = DatabaseThreads()
    yield made
    made.close()
    # A query of a thread that still runs would meet the next test's tables.
    for thread in threading.enumerate():
        if thread.name.startswith("database"):
            await asyncio.to_thread(thread.join)


class Speaker(Commits):
    """Commits that keep what they pass on."""

    def __init__(self, database: DatabaseThreads) -> None:
        self.heard: list[Published] = []
        super().__init__(database, self.heard.append)

    def say(self, user: User, word: str, channel: str = "words:a") -> asyncio.Task[Outcome]:
        """Begin to publish a word."""
        return asyncio.create_task(self.publish(user, channel, {"word": word}))

    def offsets(self, channel: str = "words:a") -> list[int]:
        """Return the places of what was passed on of a channel, in the order it came."""
        return [each.offset for each in self.heard if each.channel == channel]


@pytest.fixture
def speaker(database: DatabaseThreads) -> Speaker:
    return Speaker(database)


def offsets(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.published.offset for outcome in outcomes]


class TestTogether:
    async def test_first_goes_at_once(self, speaker: Speaker, words: Words, bob: User) -> None:
        """What comes while the first is being stored goes together, in its order."""
        words.go.clear()
        said = [speaker.say(bob, "0")]
        await eventually(lambda: words.batches)
        said += [speaker.say(bob, f"{n}") for n in range(1, 30)]
        await asyncio.sleep(0)
        words.go.set()
        outcomes = await asyncio.gather(*said)
        assert words.batches == [["0"], [f"{n}" for n in range(1, 30)]]
        assert offsets(outcomes) == list(range(1, 31)) == speaker.offsets()

    async def test_at_most_a_hundred(self, speaker: Speaker, words: Words, bob: User) -> None:
        """A crowd is cut into transactions, one after the other."""
        stored = "carillon_gateway_commit_publications_sum"
        before = REGISTRY.get_sample_value(stored) or 0.0
        outcomes = await asyncio.gather(*[speaker.say(bob, f"{n}") for n in range(250)])
        assert [len(batch) for batch in words.batches] == [100, 100, 50]
        assert (REGISTRY.get_sample_value(stored) or 0.0) - before == 250
        assert offsets(outcomes) == list(range(1, 251)) == speaker.offsets()

    async def test_those_that_are_left(self, speaker: Speaker, words: Words, bob: User) -> None:
        """What the namespace leaves to the next transaction comes first there."""
        words.most = 3
        outcomes = await asyncio.gather(*[speaker.say(bob, f"{n}") for n in range(8)])
        assert [len(batch) for batch in words.batches] == [3, 3, 2]
        assert offsets(outcomes) == list(range(1, 9)) == speaker.offsets()

    async def test_channels_are_independent(
        self, speaker: Speaker, words: Words, bob: User
    ) -> None:
        """Each channel has a transaction of its own."""
        said = [speaker.say(bob, f"{n}", f"words:{'ab'[n % 2]}") for n in range(10)]
        outcomes = await asyncio.gather(*said)
        assert sorted(map(len, words.batches)) == [5, 5]
        assert offsets(outcomes[0::2]) == offsets(outcomes[1::2]) == [1, 2, 3, 4, 5]

    async def test_all_writers_are_busy(
        self,
        speaker: Speaker,
        words: Words,
        bob: User,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Who waits for a writer is joined by those who come meanwhile."""
        writers = settings.CARILLON_GATEWAY_DATABASE_THREADS // 2
        asked = []

        def may(user: AbstractUser, channel: str) -> bool:
            # Before the transaction, of which SQLite has one at a time.
            asked.append(channel)
            return words.go.wait(5)

        monkeypatch.setattr(words, "can_publish", may)
        words.go.clear()
        said = [speaker.say(bob, "long", f"words:{n}") for n in range(writers)]
        await eventually(lambda: len(asked) == writers)
        for n in range(5):
            said.append(speaker.say(bob, f"{n}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        words.go.set()
        outcomes = await asyncio.gather(*said)
        assert ["0", "1", "2", "3", "4"] in words.batches
        assert len(words.batches) == writers + 1
        assert offsets(outcomes[writers:]) == [1, 2, 3, 4, 5]

    async def test_nothing_is_kept(self, speaker: Speaker, words: Words, bob: User) -> None:
        """A channel in which nobody speaks anymore takes no memory."""
        await asyncio.gather(*[speaker.say(bob, "x", f"words:{n}") for n in range(5)])
        await eventually(lambda: not speaker._tasks)
        assert not speaker._lines


class TestRefused:
    async def test_each_for_itself(self, speaker: Speaker, words: Words, bob: User) -> None:
        """A refusal among the answers is that one's alone."""
        said = [speaker.say(bob, word) for word in ("a", "wrong", "b")]
        a, wrong, b = await asyncio.gather(*said, return_exceptions=True)
        assert words.batches == [["a", "wrong", "b"]]
        assert isinstance(wrong, Refused)
        assert isinstance(a, Outcome)
        assert isinstance(b, Outcome)
        assert offsets([a, b]) == [1, 2]

    async def test_suspended(
        self, speaker: Speaker, words: Words, alice: User, bob: User, database: DatabaseThreads
    ) -> None:
        """Who is not active anymore is told so, and the others speak."""
        await database.run(User.objects.filter(pk=bob.pk).update, is_active=False)
        said = [speaker.say(user, "x") for user in (alice, bob, alice)]
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [type(each) for each in answers] == [Outcome, Suspended, Outcome]
        assert words.batches == [["x", "x"]]

    async def test_all_of_them(
        self, speaker: Speaker, words: Words, bob: User, database: DatabaseThreads
    ) -> None:
        """Where nobody may speak, nothing is asked of the namespace."""
        said = [speaker.say(bob, "x", "words:closed") for _ in range(3)]
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [type(each) for each in answers] == [Refused] * 3
        assert words.batches == []


class TestSingly:
    @pytest.mark.parametrize("error", [IntegrityError("a set"), TypeError("a mistake")])
    async def test_set_that_fails(
        self, speaker: Speaker, words: Words, bob: User, error: Exception
    ) -> None:
        """Nothing of it is kept; each is stored by itself, in order, and one's error is its own."""
        words.error = error
        said = [speaker.say(bob, word) for word in ("a", "broken", "b", "wrong", "c")]
        a, broken, b, wrong, c = await asyncio.gather(*said, return_exceptions=True)
        assert words.batches[1:] == [["a"], ["broken"], ["b"], ["wrong"], ["c"]]
        assert isinstance(broken, ValueError)
        assert isinstance(wrong, Refused)
        stored = [each for each in (a, b, c) if isinstance(each, Outcome)]
        assert offsets(stored) == [1, 2, 3] == speaker.offsets()

    async def test_namespace_without_sets(
        self, speaker: Speaker, words: Words, bob: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there is no form for many, each goes by itself."""
        monkeypatch.delattr(Words, "on_publish_each")
        outcomes = await asyncio.gather(*[speaker.say(bob, f"{n}") for n in range(5)])
        assert sorted(words.batches) == [[f"{n}"] for n in range(5)]
        assert sorted(offsets(outcomes)) == [1, 2, 3, 4, 5]


class TestMistakes:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda stored: None,
            lambda stored: [],
            lambda stored: [None for _ in stored],
            lambda stored: [Outcome(None) for _ in stored],
            lambda stored: [Outcome(each) for each in (*stored, *stored)],
            list,
        ],
    )
    async def test_no_answers(
        self,
        speaker: Speaker,
        words: Words,
        bob: User,
        database: DatabaseThreads,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        answer: Callable[[Sequence[Published]], Any],
    ) -> None:
        """A set whose answers nobody can read is taken back, and each is stored once by itself."""
        sets = []

        def publish_each(wanted: Asked) -> Any:
            sets.append(len(wanted))
            return answer(publish_many([Draft(name, data) for _, name, data in wanted]))

        monkeypatch.setattr(words, "on_publish_each", publish_each)
        outcomes = await asyncio.gather(*[speaker.say(bob, f"{n}") for n in range(5)])
        assert sets == [5]
        assert words.batches == [[f"{n}"] for n in range(5)]
        assert offsets(outcomes) == [1, 2, 3, 4, 5] == speaker.offsets()
        assert len((await database.run(history, "words:a")).publications) == 5
        assert "on_publish_each of words" in caplog.text

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("answer", [lambda stored: None, lambda stored: Outcome(None)])
    async def test_no_answer(
        self,
        speaker: Speaker,
        words: Words,
        bob: User,
        database: DatabaseThreads,
        monkeypatch: pytest.MonkeyPatch,
        answer: Callable[[Published], Any],
        together: bool,
    ) -> None:
        """A publication of which `on_publish` says nothing is an error, and is not stored."""

        def publish_one(user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Any:
            return answer(publish(channel, data))

        monkeypatch.setattr(words, "on_publish", publish_one)
        if not together:
            monkeypatch.delattr(Words, "on_publish_each")
        with pytest.raises(TypeError, match="on_publish of words returns an Outcome"):
            await speaker.say(bob, "x")
        assert speaker.heard == []
        assert (await database.run(history, "words:a")).publications == []


class TestGone:
    async def test_before_its_turn(self, speaker: Speaker, words: Words, bob: User) -> None:
        """What waits of a connection that has ended is not stored; the others are."""
        words.go.clear()
        said = [speaker.say(bob, "0")]
        await eventually(lambda: words.batches)
        said += [speaker.say(bob, f"{n}") for n in range(1, 6)]
        await asyncio.sleep(0)
        said[2].cancel()
        await asyncio.sleep(0)
        words.go.set()
        outcomes = await asyncio.gather(*said, return_exceptions=True)
        assert isinstance(outcomes.pop(2), asyncio.CancelledError)
        assert words.batches == [["0"], ["1", "3", "4", "5"]]
        assert [each.published.offset for each in outcomes if isinstance(each, Outcome)] == [
            *range(1, 6)
        ]

    async def test_while_it_is_stored(self, speaker: Speaker, words: Words, bob: User) -> None:
        """What is being stored is stored once, and passed on without a hole."""
        words.go.clear()
        said = [speaker.say(bob, f"{n}") for n in range(5)]
        await eventually(lambda: words.batches)
        said[2].cancel()
        await asyncio.sleep(0)
        words.go.set()
        outcomes = await asyncio.gather(*said, return_exceptions=True)
        assert isinstance(outcomes.pop(2), asyncio.CancelledError)
        assert words.batches == [[f"{n}" for n in range(5)]]
        assert speaker.offsets() == [1, 2, 3, 4, 5]


class TestAway:
    @pytest.mark.thorough
    async def test_locked_channel(
        self, speaker: Speaker, alice: User, lobby: ChatRoom, database: DatabaseThreads
    ) -> None:
        """A row that somebody holds delays nobody elsewhere; each answer there is temporary."""
        await database.run(do_create_room, alice, "garden")

        def say(room: str, text: str) -> asyncio.Task[Outcome]:
            return asyncio.create_task(speaker.publish(alice, f"chat:{room}", {"message": text}))

        async with nobody_can_write("chat:lobby"):
            held = [say("lobby", f"{n}") for n in range(5)]
            if connection.vendor == "postgresql":
                # On SQLite the lock is everybody's.
                elsewhere = [say("garden", f"{n}") for n in range(5)]
                assert offsets(await asyncio.gather(*elsewhere)) == [1, 2, 3, 4, 5]
                assert not any(task.done() for task in held)
            answers = await asyncio.gather(*held, return_exceptions=True)
        assert [type(each) for each in answers] == [DatabaseAway] * 5
        assert (await say("lobby", "again")).published.offset > 0

    async def test_too_many(
        self, speaker: Speaker, words: Words, bob: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beyond a bound one is told to come again, and those who wait are stored."""
        monkeypatch.setattr(commits, "_WAITING", 3)
        words.go.clear()
        said = [speaker.say(bob, "0")]
        await eventually(lambda: words.batches)
        said += [speaker.say(bob, f"{n}") for n in range(1, 6)]
        await asyncio.sleep(0)
        words.go.set()
        answers = await asyncio.gather(*said, return_exceptions=True)
        assert [type(each) for each in answers] == [Outcome] * 4 + [DatabaseAway] * 2

    async def test_waits_for_too_long(
        self, speaker: Speaker, words: Words, bob: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has waited for seconds is told, and not stored after that."""
        monkeypatch.setattr(commits, "_WAITING_SECONDS", 0.0)
        words.go.clear()
        line: deque[Any] = deque()
        monkeypatch.setitem(speaker._lines, "words:a", line)
        late = speaker.say(bob, "late")
        await eventually(lambda: line)
        assert commits._next(line) == []
        with pytest.raises(DatabaseAway):
            await late

    async def test_database_ends(self, speaker: Speaker, words: Words, bob: User) -> None:
        """When the gateway ends, nobody waits for ever."""
        words.go.clear()
        said = [speaker.say(bob, "0")]
        await eventually(lambda: words.batches)
        said.append(speaker.say(bob, "1"))
        await asyncio.sleep(0)
        for task in speaker._tasks:
            task.cancel()
        answers = await asyncio.gather(*said, return_exceptions=True)
        words.go.set()
        assert [type(each) for each in answers] == [DatabaseAway] * 2


async def test_chat(
    speaker: Speaker, alice: User, bob: User, lobby: ChatRoom, database: DatabaseThreads
) -> None:
    """Two people's messages are stored in the order they came, each once; refusals are theirs."""
    data: list[dict[str, Any]] = [
        {"message": f"{n}", "client_id": f"c{n // 2}" if n % 5 else None} for n in range(40)
    ]
    said = [
        asyncio.create_task(speaker.publish((alice, bob)[n % 2], "chat:lobby", each))
        for n, each in enumerate(data)
    ]
    answers = await asyncio.gather(*said, return_exceptions=True)
    outcomes = [each for each in answers if isinstance(each, Outcome)]
    rows = await database.run(lambda: list(Message.objects.order_by("id")))
    assert len(outcomes) == 40
    assert [row.offset for row in rows] == list(range(1, 41)) == speaker.offsets("chat:lobby")
    assert [row.content for row in rows] == [each["message"] for each in data]
