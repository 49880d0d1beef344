"""A table that is missing, as where somebody has forgotten a migration."""

from __future__ import annotations

import pytest
from django.db import connection

from services.gateway.database import DatabaseAway
from services.gateway.runtime import Gateway

pytestmark = pytest.mark.django_db(transaction=True)


def ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM polls_forgotten")


async def test_log_names_it(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Once, whatever the database; clients are told to try again, as after an outage."""
    for _ in range(2):
        with pytest.raises(DatabaseAway):
            await gateway.database.run(ask)
    [told] = [text for text in caplog.messages if "polls_forgotten" in text]
    assert told.startswith("The database refused a query")
