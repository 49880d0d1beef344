"""The client library `cent`, unmodified, against a running server: every method it has."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import uuid4

import cent
import pytest
from cent import (
    AsyncClient,
    BatchRequest,
    BoolValue,
    BroadcastRequest,
    CentApiResponseError,
    CentTransportError,
    CentUnauthorizedError,
    ChannelOptionsOverride,
    ChannelsRequest,
    Client,
    Disconnect,
    DisconnectRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    StreamPosition,
    SubscribeRequest,
    UnsubscribeRequest,
)
from django.utils import timezone

from shared.broker.wire import Published
from shared.presence.clients import Condition
from shared.presence.models import Lease, PresentClient
from shared.presence.reports import do_report
from shared.realtime import controls
from tests.web.server_api.conftest import heard_controls, said

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]

NEWS = "feed:news"


def present(gateway: str, *members: tuple[str, str, str], beat_ago: float = 0) -> None:
    """Have a gateway say that clients of users are in channels."""
    beat = timezone.now() - timedelta(seconds=beat_ago)
    lease = Lease.objects.create(incarnation=uuid4().hex, gateway=gateway, beat=beat, turn=1)
    for channel, client, user in members:
        PresentClient.objects.create(
            channel=channel,
            client=client,
            user_id=user,
            conn_info='{"name":"x"}',
            since=beat,
            lease=lease,
        )


def test_publish(server: Client, rings: Rings) -> None:
    """A result is a committed position: the log has it, and the bell has rung."""
    first = server.publish(PublishRequest(channel=NEWS, data={"n": 1}))
    again = server.publish(PublishRequest(channel=NEWS, data={"n": 2, "deep": [{"é": None}]}))
    assert (first.offset, again.offset) == (1, 2)
    assert first.epoch == again.epoch != ""
    assert said(NEWS) == [{"n": 1}, {"n": 2, "deep": [{"é": None}]}]
    assert [(each.channel, each.offset) for ring in rings for each in ring] == [
        (NEWS, 1),
        (NEWS, 2),
    ]


def test_publish_without_history(server: Client, rings: Rings) -> None:
    """Whoever is connected hears it; there is no position, and nothing is kept."""
    result = server.publish(PublishRequest(channel="flash:a", data={"n": 1}))
    skipped = server.publish(PublishRequest(channel=NEWS, data={"n": 2}, skip_history=True))
    for each in (result, skipped):
        assert (each.offset, each.epoch) == (0, "")
    assert [[(each.channel, each.data) for each in ring] for ring in rings] == [
        [("flash:a", '{"n":1}')],
        [(NEWS, '{"n":2}')],
    ]
    assert said(NEWS) == []


def test_publish_in_base64(server: Client) -> None:
    """`b64data` counts where it is given."""
    b64data = "eyJuIjogM30="
    server.publish(PublishRequest(channel=NEWS, data=None, b64data=b64data))
    assert said(NEWS) == [{"n": 3}]


def test_publish_again_with_the_same_key(server: Client, rings: Rings) -> None:
    """Within five minutes a repeat returns the first position and publishes nothing."""
    request = PublishRequest(channel=NEWS, data={"n": 1}, idempotency_key=uuid4().hex)
    first, again = server.publish(request), server.publish(request)
    assert (first.offset, first.epoch) == (again.offset, again.epoch)
    assert said(NEWS) == [{"n": 1}]
    assert len([ring for ring in rings if ring]) == 1


def test_broadcast(server: Client, rings: Rings) -> None:
    """Each channel has its response, in order; what cannot be published to spoils nothing."""
    channels = ["feed:a", "nowhere:b", "flash:c", "feed:", "chat:lobby", "feed:a"]
    result = server.broadcast(BroadcastRequest(channels=channels, data={"n": 1}))
    codes = [each.error.code if each.error else 0 for each in result.responses]
    assert codes == [0, 102, 0, 107, 103, 0]
    offsets = [each.result.offset for each in result.responses if each.result]
    assert offsets == [1, 0, 2]
    assert said("feed:a") == [{"n": 1}, {"n": 1}]
    # One transaction, one bell.
    assert [[each.channel for each in ring] for ring in rings] == [["feed:a", "flash:c", "feed:a"]]


def test_broadcast_again_with_the_same_key(server: Client) -> None:
    """The key counts in each channel for itself: only where it is new something is published."""
    key = uuid4().hex
    server.publish(PublishRequest(channel="feed:b", data={"n": 0}, idempotency_key=key))
    request = BroadcastRequest(
        channels=["feed:a", "feed:b", "feed:c", "feed:a"], data={"n": 1}, idempotency_key=key
    )
    first, again = server.broadcast(request), server.broadcast(request)
    assert first == again
    assert [each.result.offset for each in first.responses if each.result] == [1, 1, 1, 1]
    assert [said(f"feed:{name}") for name in "abc"] == [[{"n": 1}], [{"n": 0}], [{"n": 1}]]


def test_history(server: Client) -> None:
    """Pages forwards and backwards, all, and the position alone."""
    for number in range(1, 6):
        server.publish(PublishRequest(channel=NEWS, data={"n": number}))

    def page(**asked: object) -> list[int]:
        found = server.history(HistoryRequest(channel=NEWS, **asked))
        assert found.offset == 5
        assert found.epoch == epoch
        assert [each.data["n"] for each in found.publications] == [
            each.offset for each in found.publications
        ]
        return [each.offset for each in found.publications]

    epoch = server.history(HistoryRequest(channel=NEWS)).epoch
    assert page() == page(limit=0) == []
    assert page(limit=-1) == [1, 2, 3, 4, 5]
    assert page(limit=2) == [1, 2]
    assert page(limit=2, since=StreamPosition(offset=2, epoch=epoch)) == [3, 4]
    assert page(limit=-1, since=StreamPosition(offset=3)) == [4, 5]
    assert page(limit=2, reverse=True) == [5, 4]
    assert page(limit=9, since=StreamPosition(offset=3, epoch=epoch), reverse=True) == [2, 1]


def test_history_from_elsewhere(server: Client) -> None:
    """A position of another epoch is 112; of a channel that keeps none, 108."""
    with pytest.raises(CentApiResponseError) as caught:
        server.history(HistoryRequest(channel=NEWS, since=StreamPosition(offset=1, epoch="other")))
    assert caught.value.code == 112
    with pytest.raises(CentApiResponseError) as caught:
        server.history(HistoryRequest(channel="flash:a", limit=1))
    assert caught.value.code == 108


def test_history_remove(server: Client) -> None:
    """The publications go; the numbering stays where it is."""
    first = server.publish(PublishRequest(channel=NEWS, data={"n": 1}))
    server.history_remove(HistoryRemoveRequest(channel=NEWS))
    found = server.history(HistoryRequest(channel=NEWS, limit=-1))
    assert (found.publications, found.offset, found.epoch) == ([], 1, first.epoch)
    assert server.publish(PublishRequest(channel=NEWS, data={"n": 2})).offset == 2


def test_presence(server: Client) -> None:
    """Who is there, on all gateways; nobody is an empty answer."""
    present("one", (NEWS, "c1", "7"), (NEWS, "c2", "7"))
    present("two", (NEWS, "c3", ""), ("feed:other", "c3", ""))
    present("dead", (NEWS, "c4", "8"), beat_ago=60)
    PresentClient.objects.create(
        channel=NEWS,
        client="c5",
        user_id="9",
        since=timezone.now(),
        left_at=timezone.now(),
        lease=Lease.objects.get(gateway="one"),
    )
    found = server.presence(PresenceRequest(channel=NEWS)).presence
    assert {client: info.user for client, info in found.items()} == {"c1": "7", "c2": "7", "c3": ""}
    assert found["c1"].conn_info == {"name": "x"}
    assert found["c1"].chan_info is None
    stats = server.presence_stats(PresenceStatsRequest(channel=NEWS))
    assert (stats.num_clients, stats.num_users) == (3, 2)
    assert server.presence(PresenceRequest(channel="feed:empty")).presence == {}
    none = server.presence_stats(PresenceStatsRequest(channel="feed:empty"))
    assert (none.num_clients, none.num_users) == (0, 0)


def test_channels(server: Client) -> None:
    """Where somebody is, and those of them that a pattern means."""
    assert server.channels(ChannelsRequest()).channels == {}
    present("one", (NEWS, "c1", "7"), ("feed:olds", "c1", "7"), ("flash:x", "c1", "7"))
    present("two", (NEWS, "c2", ""))
    present("dead", (NEWS, "c3", ""), ("feed:nobody", "c3", ""), beat_ago=60)
    found = server.channels(ChannelsRequest()).channels
    assert {name: each.num_clients for name, each in found.items()} == {
        NEWS: 2,
        "feed:olds": 1,
        "flash:x": 1,
    }
    found = server.channels(ChannelsRequest(pattern="feed:{n,x}*")).channels
    assert list(found) == [NEWS]


def test_info(server: Client) -> None:
    """Each gateway with what is known of it; without any, none."""
    assert server.info(InfoRequest()).nodes == []
    present("one", (NEWS, "c1", "7"), ("feed:olds", "c1", "7"), (NEWS, "c2", "7"))
    present("two")
    present("dead", (NEWS, "c3", "8"), beat_ago=60)
    one, two = server.info(InfoRequest()).nodes
    assert (one.name, two.name) == ("one", "two")
    assert one.uid != two.uid
    assert (one.num_clients, one.num_users, one.num_subs, one.num_channels) == (2, 1, 3, 2)
    assert (two.num_clients, two.num_users, two.num_subs, two.num_channels) == (0, 0, 0, 0)
    assert (two.version, two.uptime, two.process, two.metrics) == ("", 0, None, None)


def test_what_gateways_say_of_themselves(server: Client) -> None:
    """The newest of each, and nothing of those that are gone."""
    present("one")
    [node] = server.info(InfoRequest()).nodes
    for uptime in (10, 20):
        said = Condition("0.1.0", uptime, 12.5, 90_000_000, 10.0, {"messages_sent": 70.0})
        do_report(node.uid, said)
        do_report("another", said)
    [node] = server.info(InfoRequest()).nodes
    assert (node.version, node.uptime) == ("0.1.0", 20)
    assert node.process is not None
    assert (node.process.cpu, node.process.rss) == (12.5, 90_000_000)
    assert node.metrics is not None
    assert (node.metrics.interval, node.metrics.items) == (10.0, {"messages_sent": 70.0})


def test_subscribe(server: Client) -> None:
    """Gateways hear all that was said, once."""
    server.subscribe(
        SubscribeRequest(
            user="7",
            channel=NEWS,
            client="c1",
            info={"role": "guest"},
            data=["hello"],
            recover_since=StreamPosition(offset=3, epoch="e"),
            override=ChannelOptionsOverride(presence=BoolValue(value=False)),
        )
    )
    server.subscribe(SubscribeRequest(user="", channel="chat:lobby"))
    assert heard_controls() == [
        controls.Subscribe(
            user="7",
            client="c1",
            channel=NEWS,
            info={"role": "guest"},
            data=["hello"],
            recover_since=controls.Since(offset=3, epoch="e"),
            override=controls.Override(presence=False),
        ),
        controls.Subscribe(user="", channel="chat:lobby"),
    ]


def test_unsubscribe(server: Client) -> None:
    """It says 2000, after which a client does not subscribe again by itself."""
    server.unsubscribe(UnsubscribeRequest(user="7", channel=NEWS, session="s"))
    assert heard_controls() == [
        controls.Unsubscribe(
            user="7", session="s", channel=NEWS, code=2000, reason="server unsubscribe"
        )
    ]


def test_disconnect(server: Client) -> None:
    """3503, or what the server says; some connections may be spared."""
    server.disconnect(DisconnectRequest(user="7", whitelist=["c1", "c2"]))
    server.disconnect(DisconnectRequest(user="8", disconnect=Disconnect(code=4500, reason="bye")))
    server.disconnect(DisconnectRequest(user="9", disconnect=Disconnect()))
    assert heard_controls() == [
        controls.Disconnect(user="7", code=3503, reason="force disconnect", whitelist=["c1", "c2"]),
        controls.Disconnect(user="8", code=4500, reason="bye", whitelist=[]),
        controls.Disconnect(user="9", code=3503, reason="force disconnect", whitelist=[]),
    ]


def test_refresh(server: Client) -> None:
    """A later moment is passed on; one that has passed is an end."""
    later = int(time.time()) + 3600
    server.refresh(RefreshRequest(user="7", client="c1", expire_at=later))
    server.refresh(RefreshRequest(user="7", expire_at=1))
    server.refresh(RefreshRequest(user="7", expired=True))
    server.refresh(RefreshRequest(user="7"))
    heard = heard_controls()
    assert heard[0] == controls.Refresh(user="7", client="c1", expire_at=later)
    assert [isinstance(each, controls.Refresh) and each.expired for each in heard] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("parallel", [False, True])
def test_batch(server: Client, parallel: bool) -> None:
    """Replies stand in the order of the commands, each of its own kind."""
    requests = [
        PublishRequest(channel=NEWS, data={"n": 1}),
        BroadcastRequest(channels=["feed:b"], data={"n": 2}),
        HistoryRequest(channel=NEWS, limit=1),
        PresenceRequest(channel=NEWS),
        PresenceStatsRequest(channel=NEWS),
        ChannelsRequest(),
        InfoRequest(),
        SubscribeRequest(user="7", channel=NEWS),
        UnsubscribeRequest(user="7", channel=NEWS),
        RefreshRequest(user="7"),
        DisconnectRequest(user="7"),
        HistoryRemoveRequest(channel=NEWS),
    ]
    replies = server.batch(BatchRequest(requests=requests, parallel=parallel)).replies
    assert [type(each) for each in replies] == [each.__returning__ for each in requests]
    published, broadcast, page, *_ = replies
    assert isinstance(published, cent.PublishResult)
    assert published.offset == 1
    assert isinstance(broadcast, cent.BroadcastResult)
    assert broadcast.responses[0].result is not None
    assert broadcast.responses[0].result.offset == 1
    assert isinstance(page, cent.HistoryResult)
    assert [each.data for each in page.publications] == [{"n": 1}]


def test_what_we_do_not_have(server: Client) -> None:
    """The reference server's other calls are refused as not available."""
    with pytest.raises(CentApiResponseError) as caught:
        server.block_user(cent.BlockUserRequest(user="7"))
    assert caught.value.code == 108


def test_a_wrong_key(url: str) -> None:
    """The library has an exception of its own for it."""
    for key in ("", "x", "ck_" + "a" * 53):
        with Client(url, key) as client, pytest.raises(CentUnauthorizedError):
            client.publish(PublishRequest(channel=NEWS, data={}))
    assert said(NEWS) == []


def test_errors_by_status(server: Client) -> None:
    """In the transport mode an error is a status, which the library tells."""
    server._session._session.headers["X-Centrifugo-Error-Mode"] = "transport"
    with pytest.raises(CentTransportError) as caught:
        server.publish(PublishRequest(channel="nowhere:a", data={"n": 1}))
    assert caught.value.status_code == 404


async def test_the_asynchronous_client(url: str, key: str) -> None:
    """It speaks the same, through another HTTP library."""
    client = AsyncClient(url, key)
    try:
        result = await client.publish(PublishRequest(channel=NEWS, data={"n": 1}))
        assert result.offset == 1
        with pytest.raises(CentApiResponseError) as caught:
            await client.publish(PublishRequest(channel="nowhere:a", data={"n": 1}))
        assert caught.value.code == 102
    finally:
        await client.close()
