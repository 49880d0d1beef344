from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.shared.tokens.makers import SECRET


@pytest.fixture
def another_server(settings: Settings) -> None:
    """Tokens that are signed with `SECRET` count."""
    settings.CARILLON_TOKEN_SECRETS = [SECRET]
