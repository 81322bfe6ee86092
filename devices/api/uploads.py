"""Uploaded files over HTTP, whatever they are of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from django.http import FileResponse, Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.reverse import reverse

from devices.api.bodies import TooLarge
from devices.uploads import Upload, UploadCutShort, UploadTooLarge

AnUpload = TypeVar("AnUpload", bound=Upload)


class UploadSerializer(serializers.ModelSerializer[AnUpload]):
    """How far an uploaded file is read, and where what was rejected of it is to be had."""

    rejects = serializers.SerializerMethodField()
    rejects_route: ClassVar[str]

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_rejects(self, record: AnUpload) -> str | None:
        """Return where the rejected rows are, once all are known and until they are deleted."""
        if not record.rejected or record.finished_at is None or not record.rejects_path.exists():
            return None
        request = self.context.get("request")
        return reverse(self.rejects_route, args=[record.pk], request=request)


def uploaded(request: Request) -> dict[str, Any]:
    """Return what a service takes of the file that is the request's body.

    Raises:
        ParseError: there is none.
    """
    body = request.data
    if not isinstance(body, dict) or "file" not in body:
        raise ParseError("The body must be the file, and not empty.")
    return {
        "stream": body["file"],
        "size": int(request.META["CONTENT_LENGTH"]),
        "file_format": body["file_format"],
    }


@contextmanager
def upload_refusals() -> Iterator[None]:
    """Turn what is wrong with a file as such into the API's answers."""
    try:
        yield
    except UploadTooLarge as refusal:
        raise TooLarge(str(refusal)) from refusal
    except UploadCutShort as refusal:
        raise ParseError(str(refusal)) from refusal


def rejects_of(record: Upload, *, name: str) -> FileResponse:
    """Return what was rejected, as a file of this name.

    Raises:
        Http404: nothing was, or it has been deleted since.
    """
    try:
        file = record.rejects_path.open("rb")
    except FileNotFoundError:
        raise Http404("There are no rejects, or they are kept no longer.") from None
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv")
