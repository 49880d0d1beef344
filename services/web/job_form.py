"""The forms that say what a bulk job sends, and to whom."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField, BoundWidget

from services.web.api.id_stream import IdStream, NotText
from services.web.api.id_stream import Kind as LineKind
from shared.bulk.content import label_of, offered_kinds
from shared.bulk.models import BulkJob, SavedFilter
from shared.notifications.kinds import Kind
from shared.notifications.models import Notification

__all__ = ["UPLOAD_BYTES", "JobForm", "MessageForm"]

UPLOAD_BYTES = 64 * 1024 * 1024
_PASTED_CHARACTERS = 200_000
_LINES_SHOWN = 10

# What a field of these names holds has lines, as a notification's own body does.
_LONG = {"body", "text"}


class Section(NamedTuple):
    """One choice of several, with the fields that only it has."""

    radio: BoundWidget
    fields: list[BoundField]


class MessageForm(forms.Form):
    """A kind, and the values that its texts are made of."""

    kind = forms.ChoiceField(
        label="What to send",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what to send."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kinds = {kind.key: kind for kind in offered_kinds()}
        choice = cast("forms.ChoiceField", self.fields["kind"])
        choice.choices = _choices(list(self._kinds.values()))
        if len(self._kinds) == 1:
            choice.initial = next(iter(self._kinds))
        for kind in self._kinds.values():
            for name, label in kind.fields.items():
                self.fields[_place(kind, name)] = forms.CharField(
                    label=label,
                    # Whether it may be empty depends on the kind that is chosen: see clean().
                    required=False,
                    max_length=Notification.BODY_CHARACTERS,
                    help_text="" if name in kind.required else "May stay empty.",
                    widget=(
                        forms.Textarea(attrs={"rows": 4, "dir": "auto"})
                        if name in _LONG
                        else forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"})
                    ),
                )

    @classmethod
    def of(cls, job: BulkJob) -> MessageForm:
        """Return the form as a draft fills it in."""
        initial = {f"{job.kind}:{name}": value for name, value in job.context.items()}
        return cls(initial=initial | ({"kind": job.kind} if job.kind else {}))

    def kind_sections(self) -> Iterator[Section]:
        """Yield the kinds to choose from, for the template."""
        for radio in self["kind"].subwidgets:
            kind = self._kinds[str(radio.data["value"])]
            yield Section(radio, [self[_place(kind, name)] for name in kind.fields])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = self._kinds.get(cleaned.get("kind", ""))
        if kind is not None:
            for name in kind.required:
                place = _place(kind, name)
                if not cleaned.get(place) and place not in self.errors:
                    self.add_error(place, "Fill this in: the notification needs it.")
        return cleaned

    def place_of(self, field: str) -> str | None:
        """Return the form's field for a part as jobs name it; None where it has none."""
        part = field.rpartition(".")[2]
        places = (part, f"{self.cleaned_data.get('kind')}:{part}")
        return next((place for place in places if place in self.fields), None)

    @property
    def chosen_kind(self) -> str:
        """The key of the chosen kind."""
        return str(self.cleaned_data["kind"])

    @property
    def chosen_context(self) -> dict[str, str]:
        """The values of the chosen kind, by name."""
        kind = self._kinds[self.chosen_kind]
        return {name: self.cleaned_data[_place(kind, name)] for name in kind.fields}


class JobForm(MessageForm):
    """A whole new job."""

    # The same again, from a second click or a reload, is the same job.
    key = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=lambda: uuid.uuid4().hex)
    audience = forms.ChoiceField(
        label="To whom",
        choices=[
            ("all", "Everybody"),
            ("filter", "A saved filter"),
            ("followers", "The followers of one user"),
            ("ids", "A list of user ids"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose who shall get it."},
    )
    filter = forms.ModelChoiceField(
        SavedFilter.objects.all(), required=False, label="Filter", empty_label="Choose a filter"
    )
    username = forms.CharField(
        required=False,
        max_length=150,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    file = forms.FileField(
        required=False,
        label="Upload a list",
        help_text="Text with one id on each line, or CSV with a column id; 64 MiB at most.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={"empty": "This file is empty: choose one with an id on each line."},
    )
    ids = forms.CharField(
        required=False,
        strip=False,
        max_length=_PASTED_CHARACTERS,
        label="Or paste ids",
        help_text="One on each line. Longer lists go into a file.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "inputmode": "numeric"}),
    )
    leave_out = forms.BooleanField(required=False, label="Leave out the lines without an id")

    # How many lines of a list have ids, where some have none: then the form asks what to do.
    good: int | None = None

    @property
    def has_list(self) -> bool:
        """Whether the ids of the recipients are given one by one."""
        return bool(self.cleaned_data["audience"] == "ids")

    @property
    def chosen_audience(self) -> dict[str, Any]:
        """The audience as jobs keep it."""
        data = self.cleaned_data
        match data["audience"]:
            case "filter":
                return {"type": "filter", "filter": data["filter"].pk}
            case "followers":
                return {"type": "followers", "username": data["username"]}
            case other:
                return {"type": other}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        match cleaned.get("audience"):
            case "filter" if not cleaned.get("filter") and "filter" not in self.errors:
                self.add_error("filter", "Choose a filter, or make one first.")
            case "followers" if not cleaned.get("username") and "username" not in self.errors:
                self.add_error("username", "Name the user whose followers are meant.")
            case "ids":
                self._clean_list(cleaned)
        return cleaned

    def listed_ids(self) -> Iterator[int]:
        """Yield the ids of the list, without the lines that have none."""
        return self._stream().ids()

    def _stream(self) -> IdStream:
        file: UploadedFile[bytes] | None = self.cleaned_data.get("file")
        chunks = file.chunks() if file else [self.cleaned_data["ids"].encode()]
        return IdStream(chunks, LineKind.CSV)

    def _clean_list(self, cleaned: Mapping[str, Any]) -> None:
        file: UploadedFile[bytes] | None = cleaned.get("file")
        pasted = bool(cleaned.get("ids", "").strip())
        place = "file" if file else "ids"
        if "file" in self.errors or "ids" in self.errors:
            return
        if file and pasted:
            self.add_error("ids", "Choose one: a file, or the ids here.")
        elif not file and not pasted:
            self.add_error("file", "Choose a file, or paste the ids below.")
        elif file and (file.size or 0) > UPLOAD_BYTES:
            self.add_error("file", "This file has more than 64 MiB: split it into several jobs.")
        else:
            self._check_lines(place, leave_out=cleaned.get("leave_out", False))

    def _check_lines(self, place: str, *, leave_out: bool) -> None:
        stream = self._stream()
        try:
            # Nothing is stored of a list that turns out to be bad near its end.
            deque(stream.ids(), maxlen=0)
        except NotText as error:
            self.add_error(place, str(error))
            return
        if not stream.good:
            self.add_error(place, "No line of this list is an id: write one id on each line.")
        elif stream.bad and not leave_out:
            self.good = stream.good
            shown = stream.errors[:_LINES_SHOWN]
            for line in shown:
                self.add_error(place, f"Line {line.line}: {line.message}")
            if stream.bad > len(shown):
                self.add_error(place, f"And {stream.bad - len(shown):,} more lines without an id.")


def _choices(offered: Sequence[type[Kind]]) -> list[tuple[str, str]]:
    """Name the kinds as staff call them; the keys tell those of one name apart."""
    labels = [label_of(kind) for kind in offered]
    return [
        (kind.key, label if labels.count(label) == 1 else f"{label} ({kind.key})")
        for kind, label in zip(offered, labels, strict=True)
    ]


def _place(kind: type[Kind], name: str) -> str:
    return f"{kind.key}:{name}"
