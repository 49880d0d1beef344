"""What apps' own hooks and methods say, and what they forget to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from shared.accounts.actions import do_recheck
from shared.accounts.commands import MOST_TOGETHER
from shared.accounts.models import User
from shared.broker.wire import Published
from shared.realtime import namespaces, rpc
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.history import history
from shared.realtime.namespaces import Namespace, Outcome
from shared.realtime.publish import Draft, publish_many
from shared.testing import (
    CommandRefused,
    Disconnected,
    RealtimeClient,
    assert_publishes,
    publish_together,
)
from tests.team.actions import do_vote

pytestmark = pytest.mark.django_db

BEST = "poll:best"


@pytest.fixture
def poll() -> Namespace:
    return namespaces.named("poll")


@pytest.fixture
def client(alice: User) -> RealtimeClient:
    return RealtimeClient(alice)


class TestMethods:
    def test_answers(self, client: RealtimeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """As publications have them, and not at all where JSON has nothing like it."""
        answer: Any = None
        monkeypatch.setattr(rpc, "_methods", {"app.answer": lambda user, data: answer})
        answer = {"when": datetime(2026, 1, 2, tzinfo=UTC), 7: ("a\n", None)}
        assert client.rpc("app.answer") == {"when": "2026-01-02T00:00:00Z", "7": ["a\n", None]}
        for each in (math.nan, [math.inf], object(), "\ud800"):
            answer = each
            with pytest.raises(TypeError, match=r"app\.answer answers with what is no JSON"):
                client.rpc("app.answer")

    def test_no_numbers(self, client: RealtimeClient) -> None:
        """What no client can send is not sent."""
        for command in (
            lambda: client.rpc("chat.send", {"x": math.nan}),
            lambda: client.publish(BEST, {"x": math.inf}),
        ):
            with pytest.raises(ValueError, match="JSON compliant"):
                command()

    def test_codes_of_its_own(
        self, client: RealtimeClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Refusals have numbers of the app's, and texts of Django's."""

        def refuse(user: User, data: Any) -> Any:
            raise Refused(data, gettext_lazy("No"))

        monkeypatch.setattr(rpc, "_methods", {"app.refuse": refuse})
        with pytest.raises(CommandRefused) as refusal:
            client.rpc("app.refuse", 450)
        assert (refusal.value.code, str(refusal.value)) == (450, "error 450: No")
        with pytest.raises(CommandRefused, match="error 409, conflict: No"):
            client.rpc("app.refuse", 409)
        for code in (0, 101, 399, 2000, "x"):
            with pytest.raises(ValueError, match=r"no code to refuse with.*400-1999"):
                client.rpc("app.refuse", code)


class TestOne:
    @pytest.mark.parametrize("answer", [lambda stored: None, lambda stored: Outcome(None)])
    def test_forgotten_outcome(
        self, client: RealtimeClient, poll: Namespace, monkeypatch: pytest.MonkeyPatch, answer: Any
    ) -> None:
        """A hook that does not say what it published is a mistake, and nothing is stored."""

        def forget(user: User, channel: str, data: Any) -> Any:
            return answer(do_vote(user, "best", "yes"))

        monkeypatch.setattr(poll, "on_publish", forget)
        with (
            assert_publishes(BEST, times=0),
            pytest.raises(TypeError, match="on_publish of poll returns an Outcome"),
        ):
            client.publish(BEST, {"choice": "yes"})
        assert history(BEST).publications == []

    def test_refused_after_all(
        self, client: RealtimeClient, poll: Namespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was stored before a refusal is taken back."""

        def regret(user: User, channel: str, data: Any) -> Any:
            do_vote(user, "best", "yes")
            raise Refused(ErrorCode.CONFLICT, "No.")

        monkeypatch.setattr(poll, "on_publish", regret)
        with assert_publishes(BEST, times=0), pytest.raises(CommandRefused, match="409"):
            client.publish(BEST, {"choice": "yes"})

    def test_can_subscribe_says_why(
        self, client: RealtimeClient, poll: Namespace, alice: User
    ) -> None:
        """A refusal is the answer: to a command, at the return, and when it is asked again."""

        def refuse(user: User, channel: str) -> bool:
            raise Refused(451, "Pay first.")

        client.subscribe(BEST)
        client.subscribe("poll:other")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(poll, "can_subscribe", refuse)
            with pytest.raises(CommandRefused, match=r"error 451: Pay first\."):
                RealtimeClient(alice).subscribe(BEST)
            assert BEST not in client.reconnect()
            assert client.unsubscribed(BEST) == (451, "Pay first.")
        client.subscribe(BEST)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(poll, "can_subscribe", refuse)
            do_recheck([alice.pk])
            assert client.unsubscribed(BEST) == (2000, "server unsubscribe")


class TestTogether:
    @pytest.fixture(autouse=True)
    def batches(self, poll: Namespace, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many votes came together, each time; three are taken, "maybe" is refused."""
        batches: list[int] = []

        def publish_each(namespace: Namespace, wanted: Any) -> Sequence[Outcome | Refused]:
            batches.append(len(wanted))
            return [self.vote(*each) for each in wanted[: self.most]]

        monkeypatch.setattr(type(poll), "on_publish_each", publish_each)
        return batches

    most = 3

    def vote(self, user: User, channel: str, data: Any) -> Any:
        if data["choice"] == "maybe":
            return Refused(ErrorCode.CONTENT_REFUSED, "Vote yes or no.", field="choice")
        [published] = publish_many([Draft(channel, data)])
        return self.answer(published)

    def answer(self, published: Published) -> Any:
        return Outcome(published)

    def test_each_is_answered(self, alice: User, bob: User, batches: list[int]) -> None:
        """In their order; what the hook leaves comes again."""
        hers, his = RealtimeClient(alice), RealtimeClient(bob)
        hers.subscribe(BEST)
        said = [(hers, "yes"), (his, "maybe"), (his, "no"), (hers, "no"), (his, "yes")]
        answers = publish_together(BEST, [(who, {"choice": choice}) for who, choice in said])
        assert [each and (each.code, each.field) for each in answers] == [
            None,
            (400, "choice"),
            None,
            None,
            None,
        ]
        assert [each["choice"] for each in hers.received(BEST)] == ["yes", "no", "no", "yes"]
        assert batches == [5, 2]

    def test_at_most_a_hundred(
        self, client: RealtimeClient, batches: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in a gateway."""
        monkeypatch.setattr(self, "most", 1_000)
        publish_together(BEST, [(client, {"choice": "yes"})] * (MOST_TOGETHER + 1))
        assert batches == [MOST_TOGETHER, 1]

    def test_not_an_object(self, client: RealtimeClient, batches: list[int]) -> None:
        """It is refused before the hook hears of it."""
        said: list[tuple[RealtimeClient, Any]] = [(client, "yes"), (client, {"choice": "yes"})]
        refusal, taken = publish_together(BEST, said)
        assert refusal is not None
        assert (refusal.code, taken) == (107, None)
        assert batches == [1]

    def test_private_channel(
        self,
        client: RealtimeClient,
        poll: Namespace,
        batches: list[int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Who does not hear it does not speak there, as alone."""
        monkeypatch.setattr(poll, "private_channels", True)
        [refusal] = publish_together("$poll:best", [(client, {"choice": "yes"})])
        assert refusal is not None
        assert refusal.code == 103
        assert batches == []

    def test_suspended(self, client: RealtimeClient, alice: User, bob: User) -> None:
        """Who is not active anymore is refused, and goes."""
        other = RealtimeClient(bob)
        User.objects.filter(pk=alice.pk).update(is_active=False)
        said = [(each, {"choice": "yes"}) for each in (client, other)]
        refusal, taken = publish_together(BEST, said)
        assert refusal is not None
        assert (refusal.code, taken) == (103, None)
        assert client.disconnected is not None
        assert client.disconnected.code == 4503
        with pytest.raises(Disconnected), assert_publishes(BEST, times=0):
            publish_together(BEST, said)

    @pytest.mark.parametrize("answer", [lambda published: None, lambda published: Outcome(None)])
    def test_forgotten_outcomes(
        self, client: RealtimeClient, monkeypatch: pytest.MonkeyPatch, answer: Any
    ) -> None:
        """A hook that does not say what it published is a mistake, and nothing is stored."""
        monkeypatch.setattr(self, "answer", answer)
        words = "on_publish_each of poll answers each with an Outcome or a Refused"
        with assert_publishes(BEST, times=0), pytest.raises(TypeError, match=words):
            publish_together(BEST, [(client, {"choice": "yes"})] * 3)

    def test_no_answers(self, client: RealtimeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """One at least is answered, or it would come again for ever."""
        monkeypatch.setattr(self, "most", 0)
        with pytest.raises(TypeError, match="answers 0 of 3"):
            publish_together(BEST, [(client, {"choice": "yes"})] * 3)

    def test_one_at_a_time(self, client: RealtimeClient) -> None:
        """A namespace that never gets several is not given them here."""
        with pytest.raises(ValueError, match="tick:x: its namespace has no on_publish_each"):
            publish_together("tick:x", [(client, {})])
