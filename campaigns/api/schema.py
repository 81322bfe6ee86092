"""What the OpenAPI description says of every route, besides what its serializers say."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema as _AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from drf_standardized_errors.openapi import AutoSchema as ErrorsSchema
from rest_framework import serializers

from campaigns.api.examples import ERRORS, EXAMPLES
from devices.api.versions import Versioned


class OneErrorSerializer(serializers.Serializer[Any]):
    """One thing that is wrong."""

    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="A sentence, for people.")
    attr = serializers.CharField(
        allow_null=True, help_text="The path of the field, such as `data_payload.from`, or null."
    )


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error under `/api/`."""

    type = serializers.ChoiceField(["validation_error", "client_error", "server_error"])
    errors = OneErrorSerializer(many=True)  # type: ignore[assignment]  # DRF takes it off the class
    request_id = serializers.CharField(help_text="As in `X-Request-ID`, and in the log.")
    campaign_status = serializers.CharField(
        required=False, help_text="With `illegal_move`: how the campaign stands."
    )
    allowed_moves = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="With `illegal_move`: what may be done to the campaign now.",
    )


_ERROR_REF: Final = {"$ref": "#/components/schemas/Error"}


class AutoSchema(ErrorsSchema):
    """Adds the errors and headers of the API's conventions to what they apply to."""

    def get_summary(self) -> str | None:
        """Return what the action says first of itself."""
        words = inspect.getdoc(getattr(self.view, self._name, None)) or ""
        return words.partition("\n")[0].removesuffix(".") or _SUMMARIES.get(self._name)

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular calls it
        """Return all that the action says of itself, and which scope it takes."""
        words = str(super().get_description())
        scope = getattr(self.view, "required_scopes", {}).get(self._name)
        return f"{words}\n\nScope: `{scope}`." if scope else words

    def get_override_parameters(self) -> list[Any]:
        """Return the headers that the operation takes, and those that it answers with."""
        return [*super().get_override_parameters(), *self._headers()]

    def _headers(self) -> Iterator[OpenApiParameter]:
        if self._has("takes_idempotency_key"):
            yield _IDEMPOTENCY_KEY
            yield _REPLAYED
        if self._has("asks_for_version"):
            yield _IF_MATCH
        if isinstance(self.view, Versioned) and self._action in _READS_AND_CHANGES:
            yield _ETAG
        if self._is_versioned_read():
            yield _IF_NONE_MATCH
        yield _RETRY_AFTER

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses = super()._get_response_bodies(direction=direction)
        if direction != "response":
            return responses
        for media in responses["400"].get("content", {}).values():
            if media.get("schema") != _ERROR_REF:  # an answer of the view's own, beside errors
                media["schema"] = {"oneOf": [media["schema"], _ERROR_REF]}
        if self._is_versioned_read():
            responses["304"] = {"description": "The one named by `If-None-Match` still stands."}
        return responses

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in responses:
            return False
        needed = {
            "400": True,
            "409": self.method != "GET",
            "412": self._has("asks_for_version"),
            "413": self.method in {"POST", "PUT", "PATCH"},
            "415": self.method in {"POST", "PUT", "PATCH"},
            "422": self._has("takes_idempotency_key"),
            "429": True,
        }.get(status_code)
        if needed is None:
            return bool(super()._should_add_error_response(responses, status_code))
        return needed

    def _get_error_response_serializer(self, status_code: str) -> type[ErrorSerializer]:
        return ErrorSerializer

    def _get_examples(
        self,
        serializer: Any,
        direction: Any,
        media_type: Any,
        status_code: str | None = None,
        extras: Any = None,
    ) -> Any:
        found = list(extras or [])
        one = getattr(serializer, "child", serializer)
        kind = one if isinstance(one, type) else type(one)
        name = kind.__name__.removesuffix("Serializer")
        if kind is ErrorSerializer:
            value = ERRORS.get(str(status_code))
        else:
            value = EXAMPLES.get(name, {}).get(direction)
        if value is not None:
            found.append(OpenApiExample("Example", value=value, media_type=media_type))
        # The library's own examples of errors lack what is added to its shape.
        return _AutoSchema._get_examples(  # type: ignore[no-untyped-call]  # as its library is
            self, serializer, direction, media_type, status_code=status_code, extras=found
        )

    def _is_versioned_read(self) -> bool:
        return isinstance(self.view, Versioned) and self._action == "retrieve"

    @property
    def _action(self) -> str | None:
        return getattr(self.view, "action", None)

    @property
    def _name(self) -> str:
        return self._action or self.method.lower()

    def _has(self, mark: str) -> bool:
        return hasattr(getattr(self.view, self._action or "", None), mark)


_SUMMARIES: Final = {"list": "List", "retrieve": "Read one", "destroy": "Delete"}
"""Of what DRF does without a word of ours."""
_READS_AND_CHANGES: Final = frozenset({"create", "retrieve", "update", "partial_update"})
_SUCCESSES: Final = [200, 201, 202]


def _header(name: str, description: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description, **more)


_IDEMPOTENCY_KEY: Final = _header(
    "Idempotency-Key",
    "Any text of yours, such as a UUID: for 24 hours the same request under it is done once.",
)
_REPLAYED: Final = _header(
    "Idempotency-Replayed", "`true` where an earlier answer is given again.", response=_SUCCESSES
)
_IF_MATCH: Final = _header("If-Match", "Change it only if it is still what this `ETag` names.")
_IF_NONE_MATCH: Final = _header(
    "If-None-Match", "Answer 304 where what this `ETag` names still stands."
)
_ETAG: Final = _header("ETag", "Names what is answered.", response=_SUCCESSES)
_RETRY_AFTER: Final = _header("Retry-After", "In how many seconds to try again.", response=[429])


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass
    """How programs show who they are."""

    target_class = "campaigns.access.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: _AutoSchema) -> dict[str, str]:
        """Return the scheme."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <key>`: the word, a space and the key.",
        }


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # as above
    """What refuses unknown fields says so."""

    target_class = "devices.api.bodies.Strict"
    match_subclasses = True
    priority = 1

    def map_serializer(self, auto_schema: _AutoSchema, direction: Any) -> Any:
        """Return the serializer's schema, closed where it is a request's."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        if direction == "request":
            schema["additionalProperties"] = False
        return schema
