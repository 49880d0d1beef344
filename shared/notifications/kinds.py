"""
Kinds of notifications: each is one class, declared in an app's `kinds.py` and registered there.

    @register_kind
    class NewPost(Kind):
        key = "posts.new_post"
        category = Category("posts", gettext_lazy("Posts by people you follow"))
        title = gettext_lazy("{{ author }} posted: {{ title }}")
        url = "/posts/{{ post_id }}/"

Titles, bodies and addresses are Django templates without markup: what they make is plain text.
They see what `notify` was given, and the `recipient`; a value that was not given is an error but in
`{% if %}`. They are rendered for each recipient in the
language and the time zone of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from django.template import Context, Engine, Template
from django.utils import timezone, translation

from shared.notifications.exceptions import RenderFailed, UnknownKind
from shared.notifications.models import Notification

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

__all__ = ["Category", "Kind", "Text", "categories", "kind_named", "kinds", "register_kind"]

_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_CATEGORY = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# Without blanks, control characters and halves of surrogate pairs.
_PLAIN = r"[^\s\0-\x1f\x7f\ud800-\udfff]"
_ADDRESS = re.compile(rf"(?:/(?![/\\])|https?://(?!/){_PLAIN}){_PLAIN}*")

# So much of a bad address tells what is wrong with it.
_SHOWN = 100

type Words = str | _StrPromise


class Category(NamedTuple):
    """What a user switches on and off together: a key for rows, and a label for people."""

    key: str
    label: Words


class Text(NamedTuple):
    """A notification as one recipient reads it."""

    title: str
    body: str
    url: str


class Kind:
    """
    What can be told, and how it is said.

    Attributes:
        key: 1-64 characters of `[a-z0-9_.-]`, by habit `app.what_happened`.
        category: what it belongs to in users' preferences.
        label: how staff call it; empty: its category and its key.
        title: one line, a Django template.
        body: more lines, a Django template; may be empty.
        url: where it leads, a Django template that makes a path of this site or an http address.
        offered: whether staff may choose it for a bulk job.
        fields: the values that staff fill in for it, by name, with their labels.
        required: those of the fields that may not stay empty.
    """

    key: str
    category: Category
    label: Words = ""
    title: Words = ""
    body: Words = ""
    url: Words = ""
    offered: bool = False
    fields: Mapping[str, Words] = {}
    required: frozenset[str] = frozenset()

    @classmethod
    def render(cls, recipient: Any, language: str, zone: str, context: Mapping[str, Any]) -> Text:
        """
        Return the text for one recipient.

        Args:
            recipient: the user, as templates see them.
            language: in which language.
            zone: in which time zone.
            context: what else templates see.

        Raises:
            RenderFailed: a value is missing, a template raised, the title is empty, or the address
                leads nowhere.
        """
        # What staff may leave empty is empty; anything else that a text asks for must be given.
        values = {**dict.fromkeys(cls.fields, ""), **context, "recipient": recipient}
        with translation.override(language), timezone.override(zone):
            try:
                # str() inside, so that a lazy translation speaks the recipient's language.
                title, body, url = (
                    _compiled(str(source)).render(Context(values, autoescape=False)).strip()
                    for source in (cls.title, cls.body, cls.url)
                )
            except RenderFailed:
                raise
            except Exception as error:
                # A template may raise whatever the values in it raise.
                raise RenderFailed(f"{type(error).__name__}: {error}") from error
        title = _storable(" ".join(title.split()), Notification.TITLE_CHARACTERS)
        if not title:
            raise RenderFailed("The title is empty.")
        if url and (len(url) > Notification.URL_CHARACTERS or not _ADDRESS.fullmatch(url)):
            words = "is neither a path such as /posts/1/ nor http(s), without blanks."
            raise RenderFailed(f"The address {url[:_SHOWN]!r} {words}")
        return Text(title, _storable(body, Notification.BODY_CHARACTERS), url)


_registry: dict[str, type[Kind]] = {}


def register_kind[K: type[Kind]](cls: K) -> K:
    """
    Declare a kind; usable as a class decorator.

    Raises:
        ValueError: the key or the category is not a name, or another class has the key.
    """
    if not _KEY.fullmatch(cls.key):
        raise ValueError(f"{cls.key!r} is not a kind's key: use 1-64 of [a-z0-9_.-].")
    if not _CATEGORY.fullmatch(cls.category.key):
        raise ValueError(f"{cls.category.key!r} is not a category's key: use 1-32 of [a-z0-9_-].")
    other = _registry.get(cls.key)
    if other is not None and other.__qualname__ != cls.__qualname__:
        raise ValueError(f"{cls.__qualname__} and {other.__qualname__} are both {cls.key!r}.")
    _registry[cls.key] = cls
    return cls


def kind_named(key: str) -> type[Kind]:
    """
    Return a registered kind.

    Raises:
        UnknownKind: no installed app declares it.
    """
    try:
        return _registry[key]
    except KeyError:
        raise UnknownKind(key) from None


def kinds() -> list[type[Kind]]:
    """Return the registered kinds, by key."""
    return [_registry[key] for key in sorted(_registry)]


def categories() -> list[Category]:
    """Return the categories of all kinds, each once, by key."""
    found = {kind.category.key: kind.category for kind in kinds()}
    return [found[key] for key in sorted(found)]


class _Missing(str):
    """
    What Django's engine puts in place of a value that was not given; ours raises instead.

    A misspelt name would otherwise be a gap in a million texts, which nobody hears of.
    """

    def __mod__(self, variable: object) -> NoReturn:
        raise RenderFailed(f"The text needs a value that was not given: {variable}.")


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    return _engine().from_string(source)


@lru_cache(maxsize=1)
def _engine() -> Engine:
    # An engine of its own: workers and gateways have no TEMPLATES, and texts load no files.
    return Engine(
        autoescape=False,
        string_if_invalid=_Missing("%s"),
        builtins=["django.templatetags.i18n", "django.templatetags.l10n", "django.templatetags.tz"],
    )


def _storable(text: str, characters: int) -> str:
    # PostgreSQL keeps neither NUL nor half of a surrogate pair.
    text = "".join(c for c in text if c != "\0" and not "\ud800" <= c <= "\udfff")
    return text if len(text) <= characters else text[: characters - 1] + "…"
