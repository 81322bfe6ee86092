"""Refusals of the domain as HTTP answers; one shape for all of them."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from campaigns.errors import FieldsRefused, IllegalMove, ScheduledInPast
from campaigns.models import PushCampaign


def answer_refusal(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer 409 to an illegal move, 400 to bad fields or a bad time; leave the rest to DRF."""
    if isinstance(error, IllegalMove):
        return Response(
            {"detail": str(error), "status": error.status, "allowed": error.allowed}, status=409
        )
    if isinstance(error, FieldsRefused):
        fields: dict[str, list[str]] = {}
        for problem in error.problems:
            fields.setdefault(problem.field, []).append(problem.message)
        return Response(fields, status=400)
    if isinstance(error, ScheduledInPast):
        return Response({"scheduled_at": [str(error)]}, status=400)
    if isinstance(error, PushCampaign.DoesNotExist):
        return Response({"detail": "There is no such campaign."}, status=404)
    return exception_handler(error, context)
