"""What the inbox costs where the table is large: the very statements, explained by PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.db.models import Avg
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from shared.accounts.models import User
from shared.chat.kinds import Mention
from shared.notifications.models import Notification
from shared.notifications.queries import InboxView, inbox_page
from shared.notifications.withdrawal import withdraw

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]

# At ten million rows the trees of the indexes are one level higher than here.
_PAGE_BUFFERS = 60 - 2
_ROWS = 100_000

# The oldest tenth is one user's; of five hundred others each has some, far from each other. Most
# were sent by a job, a third is read, and a seventh was put away.
_FILL = """
    INSERT INTO notifications_notification
        (user_id, kind, category, title, body, url, job_id, created, read_at, archived_at)
    SELECT
        CASE WHEN n <= %(rows)s / 10 THEN %(busy)s ELSE (%(calm)s::bigint[])[1 + n %% 500] END,
        'chat.mention', 'mentions', 'title ' || n, repeat('x', 200), '/rooms/lobby/#message-' || n,
        CASE WHEN n %% 10 = 5 THEN NULL ELSE n END, now(),
        CASE WHEN n %% 3 = 0 THEN now() END,
        CASE WHEN n %% 7 = 0 THEN now() END
    FROM generate_series(1, %(rows)s) AS n
"""


class Cost(NamedTuple):
    """What a statement read, in pages of 8 KiB, and by which indexes."""

    buffers: int
    indexes: set[str]
    scans: set[str]


@pytest.fixture
def busy(on_postgresql: None, alice: User, bob: User) -> User:
    """A user with the ten thousand oldest rows of a filled table; bob has 180 among the others."""
    others = User.objects.bulk_create(User(username=f"u{n}") for n in range(499))
    calm = [bob.pk, *(user.pk for user in others)]
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"busy": alice.pk, "calm": calm, "rows": _ROWS})
        # Not in autovacuum's own time: the plans shall be the same each time.
        cursor.execute("VACUUM ANALYZE notifications_notification")
    return alice


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def costs(call: Callable[[], object]) -> list[Cost]:
    """Run a call, and return what its statements on notifications cost when they are run again."""
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        call()
    found = []
    for query in queries.captured_queries:
        if "notifications_notification" not in query["sql"]:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query['sql']}")
            [[explained]] = cursor.fetchall()
            transaction.set_rollback(True)
        plan = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
        parts = list(nodes(plan))
        found.append(
            Cost(
                plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
                {part["Index Name"] for part in parts if "Index Name" in part},
                {part["Node Type"] for part in parts},
            )
        )
    return found


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("view", InboxView)
def test_a_page(busy: User, bob: User, view: InboxView, later: bool) -> None:
    """A page of an inbox, the first or a later one, is read by the view's own index."""
    index = {
        InboxView.ALL: "notifications_user_inbox",
        InboxView.UNREAD: "notifications_user_unread",
        InboxView.ARCHIVED: "notifications_user_archive",
    }[view]
    for user in (busy, bob):
        middle = Notification.objects.filter(user=user).aggregate(Avg("id"))["id__avg"]
        before = int(middle) if later else None
        [cost] = costs(lambda u=user, b=before: inbox_page(u, view, before=b))  # type: ignore[misc]
        assert inbox_page(user, view, before=before), user
        assert cost.indexes == {index, "accounts_user_pkey"}, user
        assert cost.buffers <= _PAGE_BUFFERS, user


def test_withdrawing(busy: User, bob: User) -> None:
    """What leads to an address is found by it, however many addresses there are."""
    urls = [f"/rooms/lobby/#message-{n}" for n in range(5, 1_505, 10)]
    for some in (urls[:1], urls):
        for cost in costs(lambda s=some: withdraw(Mention, s)):  # type: ignore[misc]
            assert "notifications_told_by_url" in cost.indexes
            assert "Seq Scan" not in cost.scans


@pytest.mark.parametrize("term", ["", "bob", "50", "nobody"])
def test_administration(
    busy: User, bob: User, staff: User, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin's list neither counts nor searches all rows."""
    monkeypatch.setattr("shared.realtime.admin._ROWS_COUNTED", 100)
    request = RequestFactory().get("/", {"q": term} if term else {})
    request.user = staff
    model_admin = admin.site._registry[Notification]
    his = Notification.objects.filter(user=bob).count()
    assert his > 100
    expected = {"": 50, "bob": 50, "50": 1, "nobody": 0}[term]

    def look() -> None:
        changes = model_admin.get_changelist_instance(request)
        assert len(changes.result_list) == expected

    for cost in costs(look):
        assert cost.buffers < 1_000
