from __future__ import annotations

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def test_models_and_migrations_agree() -> None:
    """No model has changed without its migration."""
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_system_checks() -> None:
    """Django finds nothing to say about apps, models and admin."""
    call_command("check", fail_level="WARNING")
