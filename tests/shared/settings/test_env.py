from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from shared.settings import databases, env

NAME = "CARILLON_TEST_VALUE"
type Set = Callable[[str], None]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set the variable that the test reads."""
    return lambda value: monkeypatch.setenv(NAME, value)


def refusal(read: Callable[[], Any], name: str = NAME) -> str:
    """Return the sentence of a refusal, which must name the variable."""
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    sentence = str(caught.value)
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


class TestText:
    def test_value(self, given: Set) -> None:
        """Blanks around a value, as a careless file leaves them, do not count."""
        given(" value \n")
        assert env.text(NAME) == "value"
        assert env.text(NAME, "default") == "value"

    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_unset(self, given: Set, value: str | None) -> None:
        """Unset and empty are the same: the default, or a refusal."""
        if value is not None:
            given(value)
        assert env.text(NAME, "default") == "default"
        assert "is not set" in refusal(lambda: env.text(NAME))


class TestBoolean:
    @pytest.mark.parametrize(
        ("value", "meaning"),
        [
            *[(word, True) for word in ("1", "true", "YES", "on")],
            *[(word, False) for word in ("0", "False", "no", "OFF")],
        ],
    )
    def test_words(self, given: Set, value: str, meaning: bool) -> None:
        """Four words mean yes and four mean no, in any case."""
        given(value)
        assert env.boolean(NAME, default=not meaning) is meaning

    @pytest.mark.parametrize("value", ["2", "y", "ja", "tru", "-"])
    def test_other_words(self, given: Set, value: str) -> None:
        """Anything else is refused: a switch that was misread is worse than none."""
        given(value)
        assert "write 1 or 0" in refusal(lambda: env.boolean(NAME, default=True))


class TestInteger:
    def test_bounds_are_included(self, given: Set) -> None:
        """Both ends are allowed, and a default is used."""
        assert env.integer(NAME, 5) == 5
        for value in ("1", "10"):
            given(value)
            assert env.integer(NAME, 5, minimum=1, maximum=10) == int(value)

    @pytest.mark.parametrize(
        "value", ["0", "11", "-1", "1.5", "1e3", "0x10", "٣", "²", "ten", "1_0"]
    )
    def test_refused(self, given: Set, value: str) -> None:
        """Anything that is not such a number is refused with the bounds."""
        given(value)
        assert "from 1 to 10" in refusal(lambda: env.integer(NAME, 5, minimum=1, maximum=10))


class TestSeconds:
    @pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("0.25", 0.25), ("60", 60)])
    def test_value(self, given: Set, value: str, seconds: float) -> None:
        """Fractions are allowed, and 0."""
        given(value)
        assert env.seconds(NAME, 4, maximum=60) == seconds

    @pytest.mark.parametrize("value", ["-1", "60.1", "nan", "inf", "4s", "1:30"])
    def test_refused(self, given: Set, value: str) -> None:
        """Anything else is refused with the bounds."""
        given(value)
        assert "from 0 to 60" in refusal(lambda: env.seconds(NAME, 4, maximum=60))

    def test_minimum(self, given: Set) -> None:
        """The lower bound is included, and what is below it is refused with both."""
        given("1")
        assert env.seconds(NAME, 4, minimum=1, maximum=60) == 1
        for value in ("0", "0.99", "-1"):
            given(value)
            refused = refusal(lambda: env.seconds(NAME, 4, minimum=1, maximum=60))
            assert "from 1 to 60" in refused


class TestLists:
    def test_listing(self, given: Set) -> None:
        """Blanks and empty parts do not count."""
        assert env.listing(NAME) == []
        given(" a.b , c,, ")
        assert env.listing(NAME) == ["a.b", "c"]

    def test_networks(self, given: Set) -> None:
        """Addresses and networks of both families; the default when unset, blanks do not count."""
        assert env.networks(NAME, "127.0.0.1/32,::1/128") == ["127.0.0.1/32", "::1/128"]
        given(" 10.0.0.0/8 , 192.0.2.7,,2001:db8::/32 ")
        found = env.networks(NAME, "127.0.0.1")
        assert found == ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]

    @pytest.mark.parametrize(
        "value", ["*", "nginx", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "1.2.3.4:80", "::1/129", "٣"]
    )
    def test_networks_refused(self, given: Set, value: str) -> None:
        """Whoever is trusted is named exactly; one bad entry refuses the list."""
        given(f"127.0.0.1,{value}")
        assert value in refusal(lambda: env.networks(NAME, ""))

    def test_modules(self, given: Set) -> None:
        """Each entry can be imported; one that cannot is named."""
        given("tests.team, django.contrib.admin.apps.AdminConfig")
        assert env.modules(NAME) == ["tests.team", "django.contrib.admin.apps.AdminConfig"]
        for value in ("no.such", "tests.team,tests.nothing", "a b", "..", "tests/team"):
            given(value)
            assert "cannot be imported" in refusal(lambda: env.modules(NAME))

    def test_choice(self, given: Set) -> None:
        """One of a few words, in any case."""
        assert env.choice(NAME, ["LOW", "HIGH"], "LOW") == "LOW"
        given("high")
        assert env.choice(NAME, ["LOW", "HIGH"], "LOW") == "HIGH"
        given("medium")
        assert "LOW, HIGH" in refusal(lambda: env.choice(NAME, ["LOW", "HIGH"], "LOW"))

    def test_path(self, given: Set) -> None:
        """A path is a path."""
        assert env.path(NAME, Path("x")) == Path("x")
        given("/y/z")
        assert env.path(NAME, Path("x")) == Path("/y/z")

    def test_origins(self, given: Set) -> None:
        """Origins are as browsers send them: lower case, no last slash, no usual port."""
        given("https://Chat.Example.org, http://127.0.0.1:8000/,http://[::1]:80")
        assert env.origins(NAME) == [
            "https://chat.example.org",
            "http://127.0.0.1:8000",
            "http://[::1]",
        ]

    @pytest.mark.parametrize(
        "value",
        [
            "*",
            "https://*",
            "https://*.example.org",
            "chat.example.org",
            "//chat.example.org",
            "ftp://chat.example.org",
            "https://",
            "https://a.org,",
            "https://a.org/path",
            "https://a.org?x",
            "https://a.org#x",
            "https://user@a.org",
            "null",
        ],
    )
    def test_origins_refused(self, given: Set, value: str) -> None:
        """What is not an exact origin would let others in, or nobody."""
        given(value)
        refusal(lambda: env.origins(NAME))

    def test_no_origins(self) -> None:
        """Without any origin no browser could speak to us."""
        refusal(lambda: env.origins(NAME))


class TestDatabaseUrl:
    def test_postgresql(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Percent-encoded parts are decoded."""
        monkeypatch.setenv("DATABASE_URL", "postgres://car%40illon:p%2Fw%3A@db.example:5433/n%20m")
        entry = env.database_url()
        assert entry["ENGINE"] == "django.db.backends.postgresql"
        assert (entry["USER"], entry["PASSWORD"]) == ("car@illon", "p/w:")
        assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("db.example", "5433", "n m")

    @pytest.mark.parametrize(
        ("url", "name"),
        [("sqlite:///rel/a.db", "rel/a.db"), ("sqlite:////abs/a%20b.db", "/abs/a b.db")],
    )
    def test_sqlite(self, monkeypatch: pytest.MonkeyPatch, url: str, name: str) -> None:
        """Three slashes are relative, four absolute."""
        monkeypatch.setenv("DATABASE_URL", url)
        assert env.database_url()["NAME"] == name

    @pytest.mark.parametrize(
        "url",
        [
            *("mysql://a:b@c/d", "x", "sqlite://", "sqlite:///"),
            # Without a database's name.
            *("postgres://a:b@c", "postgres://a@c/"),
            # No port; some of them because the password has what it may not have.
            *("postgres://a:b@c:port/d", "postgres://a:b@c:0/d", "postgres://a:b@c:65536/d"),
            *("postgres://a:b/b@c/d", "postgres://a:b#b@c/d", "postgres://a:b?b@c/d"),
        ],
    )
    def test_refused(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """Another database, or none, is refused with the two forms."""
        monkeypatch.setenv("DATABASE_URL", url)
        assert "sqlite:///" in refusal(env.database_url, "DATABASE_URL")

    @pytest.mark.parametrize("url", ["postgres://a:b]b@c/d", "postgres://a:[b@c/d"])
    def test_no_url(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """The refusal names the variable, and not what may be a password."""
        monkeypatch.setenv("DATABASE_URL", url)
        assert url not in refusal(env.database_url, "DATABASE_URL")

    def test_tls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What libpq knows of it is passed on, to Django and to those who connect without it."""
        url = "postgres://a:b@c/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
        monkeypatch.setenv("DATABASE_URL", url)
        entry = env.database_url()
        wanted = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
        assert entry["OPTIONS"] == wanted
        assert databases.configured(entry)["OPTIONS"].items() >= wanted.items()
        for given in (entry, databases.configured(entry)):
            assert databases.parameters(given).items() >= wanted.items()
            assert "pool" not in databases.parameters(given)

    @pytest.mark.parametrize("option", ["sslmod=require", "pool=1", "options=-cfsync%3Doff"])
    def test_unknown_option(self, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
        """Left out without a word it would be a connection in the clear."""
        monkeypatch.setenv("DATABASE_URL", f"postgres://a:b@c/d?{option}")
        assert option.partition("=")[0] in refusal(env.database_url, "DATABASE_URL")


class TestMetricsFolder:
    def test_unset(self) -> None:
        """A process that does not fork needs none."""
        assert env.metrics_folder() is None

    def test_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """It has to be there before the service is."""
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        assert env.metrics_folder() == tmp_path
        for wrong in (tmp_path / "none", Path(__file__)):
            monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(wrong))
            refusal(env.metrics_folder, "PROMETHEUS_MULTIPROC_DIR")


class TestBrokerUrl:
    @pytest.mark.parametrize(
        "url", ["", "amqp://web:x@h:5672/carillon", "amqps://web:x@h/carillon"]
    )
    def test_value(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """It is kept as it is; without one it is empty."""
        monkeypatch.setenv("BROKER_URL", url)
        assert env.broker_url() == url

    @pytest.mark.parametrize(
        "url",
        [
            "redis://h/0",
            "amqp://",
            "amqp://web:x@/carillon",
            "amqp://web:p%40w@h/carillon",
            "amqp://web:x@h",
            "amqp://web:x@h/",
            "amqp://web:x@h//",
            "amqp://web:x@h//carillon",
        ],
    )
    def test_refused(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """Forms that kombu and the channel layer read differently are refused, with the reason."""
        monkeypatch.setenv("BROKER_URL", url)
        refusal(env.broker_url, "BROKER_URL")
