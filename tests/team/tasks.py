from __future__ import annotations

from django.contrib.auth import get_user_model

from shared.celery import app
from tests.team.actions import do_vote

__all__ = ["vote_later"]


@app.task(name="team.vote_later")
def vote_later(user_id: int, topic: str, choice: str) -> int:
    """Vote in the worker and return the vote's offset."""
    user = get_user_model().objects.get(pk=user_id)
    return do_vote(user, topic, choice).offset
