"""Which devices a list shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from devices import values
from devices.models import DeviceToken, FcmProject
from devices.projects import UnknownProject
from pushcore.messages import Platform


class _MomentField(IsoDateTimeField):  # type: ignore[misc]  # ships no types
    default_error_messages = {
        "invalid": "Must be a moment in RFC 3339 with its offset, such as 2026-12-24T09:00:00Z."
    }

    def to_python(self, value: object) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        if moment is None:
            return None
        given = parse_datetime(str(value).strip())
        try:
            if given is not None and given.tzinfo is not None:
                return given.astimezone(UTC)  # PostgreSQL takes no offset beyond 16 hours
        except OverflowError:
            pass  # the year 0, or 10,000
        raise ValidationError(self.error_messages["invalid"], code="invalid")


class MomentFilter(filters.IsoDateTimeFilter):  # type: ignore[misc]  # as above
    """By a moment in RFC 3339; a wall clock without its UTC offset is refused."""

    field_class = _MomentField


def _known(choices: Iterable[tuple[str, object]]) -> dict[str, str]:
    return {"invalid_choice": f"Must be one of {', '.join(word for word, _ in choices)}."}


class WordFilter(filters.ChoiceFilter):  # type: ignore[misc]  # as above
    """By one of a few words; whoever gives another is told which there are."""

    def __init__(self, *, choices: Sequence[tuple[str, object]], **more: Any) -> None:
        super().__init__(choices=choices, error_messages=_known(choices), **more)


class WordsFilter(filters.MultipleChoiceFilter):  # type: ignore[misc]  # as above
    """By any of several words, in the same way."""

    def __init__(self, *, choices: Sequence[tuple[str, object]], **more: Any) -> None:
        super().__init__(choices=choices, error_messages=_known(choices), **more)


class _FlagField(forms.NullBooleanField):
    """Django's own takes whatever it does not know for no answer, and would show everything."""

    default_error_messages = {"invalid": "Must be true or false."}

    def clean(self, value: object) -> bool | None:
        flag: bool | None = super().clean(value)
        if flag is None and value not in self.empty_values:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return flag


class _FlagFilter(filters.BooleanFilter):  # type: ignore[misc]  # as above
    field_class = _FlagField


class _ValueField(forms.CharField):
    """A value as devices are stored with it: `pt-br` finds what was registered as `pt-BR`."""

    def __init__(self, *, rule: Callable[[object], str], **more: Any) -> None:
        super().__init__(**more)
        self.rule = rule

    def clean(self, value: Any) -> str:
        given: str = super().clean(value)
        try:
            return self.rule(given) if given else ""
        except values.ValueRefused as refusal:
            raise ValidationError(str(refusal), code="invalid") from refusal


class _ValueFilter(filters.CharFilter):  # type: ignore[misc]  # as above
    field_class = _ValueField


def _existing_project(given: object) -> str:
    """Return the id of an FCM project; without it a list would be empty for no visible reason."""
    if not FcmProject.objects.filter(project_id=given).exists():
        raise values.ValueRefused(str(UnknownProject(str(given))))
    return str(given)


class DeviceFilter(filters.FilterSet):  # type: ignore[misc]  # ships no types
    """Filters, all by equality."""

    project = _ValueFilter(field_name="project__project_id", rule=_existing_project)
    user_id = _ValueFilter(rule=values.user_id)
    platform = WordFilter(choices=[(one.value, one.value) for one in Platform])
    language = _ValueFilter(rule=values.language)
    country = _ValueFilter(rule=values.country)
    is_active = _FlagFilter(widget=forms.TextInput)

    class Meta:
        model = DeviceToken
        fields = ["project", "user_id", "platform", "is_active", "language", "country"]
