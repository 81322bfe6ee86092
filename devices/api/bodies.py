"""What every body of the API has to keep to: its size, its depth, its fields, its times."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError
from rest_framework.fields import empty
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

MAX_DEPTH: Final = 32
"""How deep a body may nest. Nothing that means anything here is half as deep."""


class TooLarge(APIException):
    """The body is larger than is taken."""

    status_code = 413
    default_detail = "The body is too large."
    default_code = "too_large"


def read_body(stream: IO[bytes], *, limit: int) -> bytes:
    """Return the body whole.

    Raises:
        TooLarge: it has more than `limit` bytes; no more than those were read.
    """
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body has more than {limit} bytes, which is all that is taken.")
    return body


class JsonParser(BaseParser):
    """JSON by RFC 8259: UTF-8, whatever charset is claimed, and no NaN."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value.

        Raises:
            ParseError: it is no JSON, or nested deeper than `MAX_DEPTH`.
            TooLarge: it has more than `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes.
        """
        body = read_body(stream, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        try:
            value = json.loads(body.decode(), parse_constant=_refuse_constant)
        except RecursionError:
            raise ParseError(_TOO_DEEP) from None
        except ValueError as error:
            raise ParseError(f"The body is no JSON: {error}.") from None
        _refuse_depth(value)
        return value


_TOO_DEEP: Final = f"The body is nested deeper than {MAX_DEPTH} levels."


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is none of its values"
    raise ValueError(message)


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ParseError(_TOO_DEEP)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    if isinstance(value, list):
        return [inner for inner in value if isinstance(inner, dict | list)]
    return []


class MomentField(serializers.DateTimeField):
    """A moment in RFC 3339; a wall clock without its UTC offset is none, and is refused."""

    default_error_messages = {
        "naive": "Say which moment is meant: end it with an offset such as Z or +02:00.",
        "invalid": "Must be a moment in RFC 3339, such as 2026-12-24T09:00:00Z.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        """Return the moment in UTC.

        Raises:
            ValidationError: it has no offset, or lies outside of what UTC can say.
        """
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)


class RowField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row of ours."""

    default_error_messages = {
        "does_not_exist": "There is none with the id {pk_value}.",
        "incorrect_type": "Must be an id, which is a whole number.",
    }


class OneOf(serializers.ChoiceField):
    """One of a few words; whoever gives another is told which there are."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        self.error_messages["invalid_choice"] = f"Must be one of {', '.join(self.choices)}."


class Strict(serializers.Serializer[Any]):
    """A serializer that refuses, by name, whatever in a body it would not have used.

    A misspelt field must not be dropped in silence: the campaign would go out without it.
    """

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: MomentField,
    }
    serializer_related_field: type[serializers.RelatedField[Any, Any, Any]] = RowField
    serializer_choice_field: type[serializers.Field[Any, Any, Any, Any]] = OneOf

    def run_validation(self, data: Any = empty) -> Any:
        """Return the validated values.

        Raises:
            ValidationError: naming every field that is wrong, unknown or not to be set.
        """
        refused = self._refused(data)
        try:
            values = super().run_validation(data)
        except serializers.ValidationError as error:
            if not refused or not isinstance(error.detail, dict):
                raise
            raise serializers.ValidationError({**error.detail, **refused}) from error
        if refused:
            raise serializers.ValidationError(refused)
        return values

    def _refused(self, data: object) -> dict[str, list[Any]]:
        if not isinstance(data, Mapping):
            return {}
        refused: dict[str, list[Any]] = {}
        for name in map(str, data):
            if name not in self.fields:
                refused[name] = [serializers.ErrorDetail("There is no such field.", "unknown")]
            elif self.fields[name].read_only:
                words = str(self.fields[name].error_messages.get("read_only", "It cannot be set."))
                refused[name] = [serializers.ErrorDetail(words, "read_only")]
        return refused


class Nothing(Strict):
    """The body of what takes none: `{}`, or none at all."""


def takes_nothing(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Have an action refuse what its body says: nobody is to think that it was heard.

    Whoever sends `{"user_ids": ["me"]}` to what launches a campaign to everybody is told so first.
    """

    @functools.wraps(handler)
    def checked(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        Nothing(data=request.data).is_valid(raise_exception=True)
        return handler(view, request, *args, **kwargs)

    return checked
