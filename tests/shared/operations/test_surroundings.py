"""What is found without asking any server."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from shared.operations import checks, surroundings

# Nothing here connects to it.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")


@pytest.fixture
def safe(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of a web tier with nothing to find."""
    (tmp_path / surroundings.MANIFEST).write_text('{"paths": {}}')
    settings.DEBUG = False
    settings.SECRET_KEY = "x" * 40
    settings.BROKER_URL = "amqp://web:letters@127.0.0.1:1/carillon"
    settings.CARILLON_PUBLIC_ORIGINS = ["https://chat.example.org", "http://127.0.0.1:8000"]
    settings.CARILLON_DEMO = False
    settings.CARILLON_SERVICE = "web"
    settings.CARILLON_METRICS_FOLDER = tmp_path
    settings.CARILLON_GATEWAY_CONNECTIONS_IS_GIVEN = False
    settings.CARILLON_GATEWAY_CONNECTIONS = 10
    settings.STATIC_ROOT = tmp_path
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    return settings


def ids() -> list[str]:
    return sorted(str(finding.id) for finding in checks.check_here())


def test_safe(safe: Settings) -> None:
    """Nothing to say."""
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "id"),
    [
        ("DEBUG", True, "carillon.E001"),
        ("SECRET_KEY", "short", "carillon.E002"),
        ("BROKER_URL", "", "carillon.E003"),
        ("BROKER_URL", "amqp://guest:guest@127.0.0.1/x", "carillon.E004"),
        ("CARILLON_DEMO", True, "carillon.W005"),
        ("CARILLON_PUBLIC_ORIGINS", ["http://chat.example.org"], "carillon.W006"),
        (
            "DATABASES",
            {"default": {"ENGINE": "django.db.backends.sqlite3"}},
            "carillon.W007",
        ),
        ("CARILLON_METRICS_FOLDER", None, "carillon.W012"),
        ("STATIC_ROOT", "/nowhere", "carillon.E013"),
    ],
)
def test_found(safe: Settings, name: str, value: object, id: str) -> None:
    """One thing that is wrong is one finding, without the secret in it."""
    setattr(safe, name, value)
    [finding] = checks.check_here()
    assert finding.id == id
    assert finding.hint
    assert "short" not in str(finding)


def test_embedded_form_has_no_broker(safe: Settings) -> None:
    """It rings its own bell, from one process."""
    safe.BROKER_URL = ""
    safe.CARILLON_SERVICE = "embedded"
    safe.STATIC_ROOT = "/nowhere"
    safe.CARILLON_METRICS_FOLDER = None
    assert ids() == []


@pytest.mark.parametrize(
    ("hard", "wanted", "is_given", "expected"),
    [
        (10_200, 10_000, True, []),
        (resource.RLIM_INFINITY, 10_000, True, []),
        (10_199, 10_000, True, ["carillon.E010"]),
        (10_199, 10_000, False, ["carillon.W011"]),
        (200, 10_000, False, ["carillon.E010"]),
    ],
)
def test_files(
    safe: Settings,
    monkeypatch: pytest.MonkeyPatch,
    hard: int,
    wanted: int,
    is_given: bool,
    expected: list[str],
) -> None:
    """As the gateway itself judges; the words have the number that it needs."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))
    safe.CARILLON_GATEWAY_CONNECTIONS = wanted
    safe.CARILLON_GATEWAY_CONNECTIONS_IS_GIVEN = is_given
    found = list(checks.check_here())
    assert [finding.id for finding in found] == expected
    assert all("10200" in f"{finding.msg} {finding.hint}" for finding in found)


def test_reserve_is_the_gateways() -> None:
    """The check's number of files is the gateway's own."""
    from services.gateway.transport.capacity import RESERVE

    assert surroundings._RESERVED_FILES == RESERVE


@pytest.mark.django_db
def test_when_checks_run(safe: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--deploy`; those that ask servers where their tag is named, so not in `migrate`."""
    asked: list[str] = []
    monkeypatch.setattr(checks, "server_probes", lambda: asked.append("servers") or {})
    safe.CARILLON_DEMO = True

    def found(**how: object) -> bool:
        return "carillon.W005" in {finding.id for finding in run_checks(**how)}

    assert not found()
    assert not found(databases=["default"])
    assert found(include_deployment_checks=True)
    assert asked == []
    assert not found(tags=["carillon_servers"], include_deployment_checks=True)
    assert asked == ["servers"]
