"""What every query of the API has to keep to: a parameter that would not be heard is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from django_filters import MultipleChoiceFilter
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import BasePagination
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

Parameters = Mapping[str, bool]
"""The names of parameters → whether they may be given several times."""

_OF_PAGES: Final = ("page_query_param", "cursor_query_param", "page_size_query_param")


def parameters_of(
    *parts: type[Any],
) -> dict[str, bool]:
    """Return what serializers, filters and pages read from the query of an action."""
    names: dict[str, bool] = {}
    for part in parts:
        if issubclass(part, serializers.Serializer):
            for name, field in part().fields.items():
                names[name] = isinstance(field, serializers.MultipleChoiceField)
        elif issubclass(part, BasePagination):
            given = (getattr(part, attribute, None) for attribute in _OF_PAGES)
            names |= {name: False for name in given if name}
        else:
            for name, one in part.base_filters.items():
                names[name] = isinstance(one, MultipleChoiceFilter)
    return names


def number_in(request: Request, name: str, *, most: int | None, default: int) -> int:
    """Return the whole number from 1 to `most` that a query gives under this name, if it does.

    Raises:
        ValidationError: it is none, or lies outside.
    """
    given = request.query_params.get(name)
    if not given:
        return default
    field = serializers.IntegerField(min_value=1, max_value=most)
    try:
        return int(field.run_validation(given))
    except ValidationError as refusal:
        raise ValidationError({name: refusal.detail}) from refusal


class _ByHeaderOnly(DefaultContentNegotiation):
    """Chooses by `Accept`; DRF's own listens to `?format=` too, before anybody was let in."""

    def filter_renderers(
        self,
        renderers: Iterable[BaseRenderer],
        format: str | None,  # noqa: A002 - DRF's name
    ) -> list[BaseRenderer]:
        """Leave them as they are: `format` is a parameter as unknown as any other."""
        return list(renderers)


class HeardQuery(APIView):
    """A view that refuses, by name, whatever in a query it would not have used.

    A misspelt filter must not be dropped in silence: the list would show everything.
    """

    content_negotiation_class = _ByHeaderOnly
    parameters: ClassVar[Mapping[str, Parameters]] = {}
    """Each action that takes any → what it takes."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Look at the query of whoever was let in.

        Raises:
            ValidationError: naming every parameter that is unknown, or one too many.
        """
        super().initial(request, *args, **kwargs)
        action = getattr(self, "action", None)
        if action is None or not request.query_params:
            return
        known = self.parameters.get(action, {})
        refused: dict[str, list[ErrorDetail]] = {}
        for name, values in request.query_params.lists():
            if name not in known:
                refused[name] = [ErrorDetail(_unknown(known), "unknown")]
            elif len(values) > 1 and not known[name]:
                refused[name] = [ErrorDetail("It may be given once only.", "repeated")]
        if refused:
            raise ValidationError(refused)


def _unknown(known: Parameters) -> str:
    if not known:
        return "There is no such parameter: this call takes none."
    return f"There is no such parameter; those known here: {', '.join(sorted(known))}."
