from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import call_command

from shared.realtime import deployment
from shared.realtime.history import history, recover
from shared.realtime.models import Deployment
from shared.realtime.positions import Position
from shared.realtime.publish import Draft, publish, publish_many
from shared.realtime.streams import head, heads, touch

pytestmark = pytest.mark.django_db


def test_epoch_goes_onto_the_wire() -> None:
    """An epoch is letters, digits and hyphens, and a written position reads back."""
    published = publish("notes:a", {})
    assert re.fullmatch(r"[A-Za-z0-9-]{1,64}", published.epoch)
    position = Position(published.epoch, published.offset)
    assert Position.parse(str(position)) == position


def test_two_streams_have_two_epochs() -> None:
    """A position of one channel is never one of another."""
    assert touch("notes:a").position.epoch != touch("notes:b").position.epoch


def test_every_way_to_read_tells_the_same_epoch() -> None:
    """Publishing one or many, reading heads, history and recovery agree."""
    one = publish("notes:a", {})
    many = publish_many([Draft("notes:a", {}), Draft("notes:b", {})])
    found = head("notes:a")
    assert found is not None
    [listed] = heads([found.stream_id])
    assert found == listed
    epochs = {one.epoch, many[0].epoch, found.position.epoch, history("notes:a").position.epoch}
    assert epochs == {recover("notes:a", None).head.epoch}


def test_restored() -> None:
    """`realtime_restored` changes every epoch and no offset; no old position recovers."""
    before = [publish(f"notes:{name}", {}) for name in "abc"]
    out = StringIO()
    call_command("realtime_restored", stdout=out)
    assert deployment.incarnation() in out.getvalue()
    for old in before:
        now = touch(old.channel).position
        assert now.epoch != old.epoch
        assert now.offset == old.offset
        assert not recover(old.channel, Position(old.epoch, old.offset)).recovered
        assert publish(old.channel, {}).offset == old.offset + 1
    assert deployment.renew() != deployment.renew()


def test_without_failover() -> None:
    """On the same timeline nothing changes, however often it is asked."""
    before = deployment.incarnation()
    assert not deployment.renew_after_failover()
    assert deployment.incarnation() == before


def test_after_failover() -> None:
    """Another timeline begins a new incarnation, once."""
    before = deployment.incarnation()
    Deployment.objects.update(timeline=4_711)
    assert deployment.renew_after_failover()
    after = deployment.incarnation()
    assert after != before
    assert not deployment.renew_after_failover()
    assert deployment.incarnation() == after


@pytest.mark.servers
def test_timeline_of_postgresql(on_postgresql: None) -> None:
    """On PostgreSQL the server's own timeline is kept: 1 for a cluster that never failed over."""
    deployment.renew()
    assert Deployment.objects.get().timeline == 1


def test_unknown_streams_have_no_head() -> None:
    """A head check of streams that are gone gets what there is."""
    found = touch("notes:a")
    assert heads([found.stream_id, 10**12]) == [found]
    assert heads([]) == []
    assert head("notes:nobody") is None
