from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from shared.accounts.demo import DEMO_PASSWORD
from shared.accounts.models import User
from shared.settings.production import refuse_unsafe
from tests.processes import ENVIRONMENT, python


@pytest.fixture
def safe(settings: Settings) -> Settings:
    """Settings with nothing to refuse."""
    settings.DEBUG = False
    settings.SECRET_KEY = "x" * 40
    settings.BROKER_URL = "amqp://web:letters@127.0.0.1:1/carillon"
    settings.CARILLON_DEMO = False
    return settings


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that the refusal says."""
    with pytest.raises(SystemExit) as caught:
        refuse_unsafe()
    assert caught.value.code not in {0, None}
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.django_db
class TestRefuseUnsafe:
    def test_safe(self, safe: Settings) -> None:
        """Nothing to say against it."""
        refuse_unsafe()

    @pytest.mark.parametrize("key", ["short", "x" * 31, "django-insecure-" + "x" * 40])
    def test_weak_secret(
        self, safe: Settings, capsys: pytest.CaptureFixture[str], key: str
    ) -> None:
        """A secret that could be guessed is refused, without printing it."""
        safe.SECRET_KEY = key
        line = refusal(capsys)
        assert "CARILLON_SECRET_KEY is weak" in line
        assert key not in line

    def test_weak_fallback(self, safe: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        """One that still counts is no better for being the old one."""
        safe.SECRET_KEY_FALLBACKS = ["y" * 40]
        refuse_unsafe()
        safe.SECRET_KEY_FALLBACKS = ["y" * 40, "short"]
        assert "CARILLON_SECRET_KEY_FALLBACKS is weak" in refusal(capsys)

    def test_debug(
        self,
        safe: Settings,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Debugging is refused, by setting or by variable."""
        monkeypatch.setenv("CARILLON_DEBUG", "1")
        assert "CARILLON_DEBUG" in refusal(capsys)
        monkeypatch.delenv("CARILLON_DEBUG")
        safe.DEBUG = True
        assert "CARILLON_DEBUG" in refusal(capsys)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "amqp://127.0.0.1/carillon",
            "amqp://web@127.0.0.1/carillon",
            "amqp://guest:letters@127.0.0.1/carillon",
            "amqp://web:guest@127.0.0.1/carillon",
        ],
    )
    def test_broker(self, safe: Settings, capsys: pytest.CaptureFixture[str], url: str) -> None:
        """No broker, one without a password, and everybody's account are refused."""
        safe.BROKER_URL = url
        assert "BROKER_URL" in refusal(capsys)

    def test_demo_users(self, safe: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        """Users with the demo password are refused by name, unless the demo is allowed."""
        User.objects.create_user("alice", password=DEMO_PASSWORD)
        User.objects.create_user("bob", password="changed")
        assert "users alice still" in refusal(capsys)
        safe.CARILLON_DEMO = True
        refuse_unsafe()


STARTS = {
    "gateway": ("-m", "services.gateway", "-p", "0"),
    "daphne": ("-m", "daphne", "-p", "0", "services.gateway.asgi:application"),
    "worker": ("-m", "celery", "-A", "services.worker.celery:app", "worker"),
    "web": ("-c", "import services.web.wsgi"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("service", STARTS)
def test_what_the_operator_sees(service: str) -> None:
    """The real process ends at once with the one sentence, not with a traceback."""
    guest = ENVIRONMENT | {"BROKER_URL": "amqp://guest:guest@127.0.0.1:1/carillon"}
    ended = python(*STARTS[service], environment=guest)
    assert ended.returncode != 0
    assert ended.stderr.splitlines() == [
        "Carillon does not start: BROKER_URL uses the guest account: give Carillon its own user."
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("words", ["migrate", "load_demo", "runserver --noreload"])
def test_what_a_command_says(words: str, tmp_path: Path) -> None:
    """manage.py, too, ends with the one sentence, which names what to set."""
    environment = {"CARILLON_STATE_DIR": str(tmp_path), "CARILLON_APPS": "no.such"}
    ended = python("manage.py", *words.split(), environment=environment)
    assert ended.returncode != 0
    assert ended.stderr == (
        "Carillon does not start: CARILLON_APPS names 'no.such', which cannot be imported: "
        "install it, or put the folder that holds it on PYTHONPATH.\n"
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARILLON_SECRET_KEY", "short"),
        ("CARILLON_DEBUG", "1"),
        ("CARILLON_PUBLIC_ORIGINS", "*"),
        ("CARILLON_PUBLIC_ORIGINS", "https://*.example.org"),
        ("DATABASE_URL", "mysql://carillon:letters@db/carillon"),
        ("DATABASE_URL", "postgres://carillon:letters@db:5432"),
        ("DATABASE_URL", "postgres://carillon:letters@db:five/carillon"),
        ("BROKER_URL", "amqp://broker/carillon"),
        ("PROMETHEUS_MULTIPROC_DIR", "/nowhere"),
    ],
)
def test_bad_value(name: str, value: str) -> None:
    """The web tier ends with status 3 and one line that names the variable, without a password."""
    ended = python(*STARTS["web"], environment=ENVIRONMENT | {name: value})
    assert ended.returncode == 3
    [line] = ended.stderr.splitlines()
    assert line.startswith("Carillon does not start: ")
    assert name in line
    assert "letters" not in line


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["CARILLON_SECRET_KEY", "CARILLON_PUBLIC_ORIGINS", "DATABASE_URL"])
def test_missing_variable(name: str) -> None:
    """A variable that is not set is named, in one line."""
    without = {key: value for key, value in ENVIRONMENT.items() if key != name}
    ended = python(*STARTS["gateway"], environment=without)
    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert name in line
