from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import translation

from shared.notifications.exceptions import RenderFailed, UnknownKind
from shared.notifications.kinds import (
    Category,
    Kind,
    Text,
    categories,
    kind_named,
    kinds,
    register_kind,
)
from shared.notifications.models import Notification
from shared.notifications.staff_kinds import StaffMessage
from tests.team.kinds import PollClosed, Salutation

WHEN = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def said(title: str = "Title", body: str = "", url: str = "", **context: object) -> Text:
    """Render a kind of these templates."""
    kind = type("Said", (Kind,), {"title": title, "body": body, "url": url})
    return kind.render(None, "en", "UTC", context)


def test_language_and_time_zone() -> None:
    """A text is in the recipient's language, with times of their zone, whatever ours are."""
    with translation.override("fr"):
        english = PollClosed.render(None, "en", "UTC", {"closed": WHEN, "poll": "Tea?"})
        german = PollClosed.render(None, "de", "Europe/Berlin", {"closed": WHEN, "poll": "Tea?"})
        assert translation.get_language() == "fr"
    assert english.title == "yes,no,maybe"
    assert english.body == "Nov. 22, 2026, 11:30 p.m.: Tea?"
    assert german.title == "Ja,Nein,Vielleicht"
    assert german.body == "23. November 2026 00:30: Tea?"


def test_recipient() -> None:
    """Templates see the recipient."""

    class Person:
        username = "alice"

    assert Salutation.render(Person(), "en", "UTC", {}).title == "Hello alice"


def test_plain_text() -> None:
    """Texts are no markup: nothing is escaped, and a title is one line."""
    text = said("{{ a }}\n & more", "{{ a }}\n{{ a }}", a="<b>\n")
    assert text == Text("<b> & more", "<b>\n\n<b>", "")


def test_what_cannot_be_stored() -> None:
    """Too long texts are shortened, and what no database keeps is left out."""
    text = said("{{ long }}", "{{ long }}", long="\0\ud800" + "x" * 3_000)
    assert len(text.title) == Notification.TITLE_CHARACTERS
    assert len(text.body) == Notification.BODY_CHARACTERS
    assert text.title.endswith("x…")
    assert text.title.startswith("x")


@pytest.mark.parametrize("title", ["", " \n", "{% if nothing %}x{% endif %}"])
def test_empty_title(title: str) -> None:
    """Without a title there is nothing to tell."""
    with pytest.raises(RenderFailed, match="title"):
        said(title)


@pytest.mark.parametrize("title", ["{{ nme }}", "{{ name.frist }}", "{{ nme|upper }}"])
def test_missing_value(title: str) -> None:
    """A value that was not given, or is misspelt, fails with its name; asking for it does not."""
    with pytest.raises(RenderFailed, match=r"not given: (nme|name\.frist)"):
        said(title, name={"first": "alice"})
    assert said("{% if nme %}{{ nme }}{% else %}nobody{% endif %}").title == "nobody"


def test_left_empty() -> None:
    """What staff may leave empty is empty."""
    assert StaffMessage.render(None, "en", "UTC", {"title": "Hello"}) == Text("Hello", "", "")


@pytest.mark.parametrize(
    "title",
    ["{{ a|add:b|floatformat:b }}{% now %}", "{% if %}", "{{ a.explode }}", "{% url 'x' %}"],
)
def test_broken_template(title: str) -> None:
    """Whatever a template raises is one error, with its reason."""

    class Bomb:
        def explode(self) -> None:
            raise ValueError("boom")

    with pytest.raises(RenderFailed, match=r"\w+: ."):
        said(title, a=Bomb(), b=object())


@pytest.mark.parametrize(
    "url", ["/posts/1/", "https://example.org/a?b=c", "http://example.org", ""]
)
def test_address(url: str) -> None:
    """A path of this site or an http address leads somewhere."""
    assert said(url="{{ where }}", where=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "/\\evil.example",
        "data:text/html,x",
        "posts/1/",
        "https://",
        "/a b",
        "/a\0b",
        "/a\x1bb",
        "/a\ud800b",
        "/" + "x" * 500,
    ],
)
def test_bad_address(url: str) -> None:
    """What is neither is refused: pages make links of addresses."""
    with pytest.raises(RenderFailed, match="address"):
        said(url="{{ where }}", where=url)


def test_registry() -> None:
    """Kinds are found by key, and categories are those of the kinds."""
    assert kind_named("polls.closed") is PollClosed
    assert PollClosed in kinds()
    assert "polls" in {category.key for category in categories()}
    with pytest.raises(UnknownKind, match="nobody"):
        kind_named("nobody.knows")


def test_registering() -> None:
    """A key is a name of one class; the same class may come again, as at a reload."""
    assert register_kind(PollClosed) is PollClosed
    with pytest.raises(ValueError, match="both"):
        register_kind(type("Other", (PollClosed,), {}))
    with pytest.raises(ValueError, match="key"):
        register_kind(type("Bad", (PollClosed,), {"key": "Bad Key"}))
    with pytest.raises(ValueError, match="category"):
        register_kind(type("Bad", (PollClosed,), {"key": "b", "category": Category("B!", "")}))
