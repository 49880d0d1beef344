"""Journals against a plain account of which blocks are committed."""

from __future__ import annotations

import gc
import json
from threading import Thread

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from shared.accounts.models import User
from shared.realtime import outgoing
from shared.realtime.history import history
from shared.realtime.publish import publish
from shared.testing import RealtimeClient
from shared.testing.journal import Journal
from tests.team.actions import do_vote

# A number is published; a list is a block, which is rolled back where the flag says so.
BLOCKS = st.recursive(
    st.integers(0, 9),
    lambda inner: st.tuples(st.booleans(), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def say(part: object, channel: str) -> list[int]:
    """Publish what a part says; return what is left of it after its block."""
    if isinstance(part, int):
        publish(channel, {"n": part})
        return [part]
    assert isinstance(part, tuple)
    rolled_back, parts = part
    with transaction.atomic():
        said = [n for each in parts for n in say(each, channel)]
        if rolled_back:
            transaction.set_rollback(True)
    return [] if rolled_back else said


class TestBlocks(TestCase):
    @settings(deadline=None)
    @given(parts=st.lists(BLOCKS, max_size=4), channel=st.sampled_from(["poll:x", "tick:x"]))
    def test_what_is_left(self, parts: list[object], channel: str) -> None:
        """Whatever is nested and rolled back, a journal and a client have what the log has."""
        user = User.objects.create_user("alice")
        client = RealtimeClient(user)
        client.subscribe(channel)
        journal = Journal()
        taken, said = [], []
        for part in parts:
            said += say(part, channel)
            taken += [json.loads(each.data)["n"] for each in journal.take()]
        assert taken == said
        assert [data["n"] for data in client.received(channel)] == said
        if channel == "poll:x":
            assert [json.loads(p.data)["n"] for p in history(channel).publications] == said


@pytest.mark.django_db(transaction=True)
def test_other_threads(alice: User) -> None:
    """What another thread commits is heard; what it holds back is not."""
    client = RealtimeClient(alice)
    client.subscribe("poll:best")

    def work() -> None:
        try:
            do_vote(alice, "best", "yes")
            with transaction.atomic():
                do_vote(alice, "best", "no")
                transaction.set_rollback(True)
        finally:
            connection.close()

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert [data["choice"] for data in client.received("poll:best")] == ["yes"]


@pytest.mark.django_db
def test_nobody_listens(alice: User) -> None:
    """A journal that nobody holds anymore keeps nothing alive."""
    gc.collect()
    before = len(outgoing._witnesses)
    client = RealtimeClient(alice)
    assert len(outgoing._witnesses) == before + 1
    del client
    gc.collect()
    assert len(outgoing._witnesses) == before
