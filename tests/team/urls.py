from __future__ import annotations

from django.urls import path

from tests.team.views import vote

urlpatterns = [path("<slug:topic>/votes/", vote, name="team-vote")]
