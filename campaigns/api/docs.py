"""The pages that describe the API, for people with a browser."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.exceptions import NotAuthenticated


class DocsView(SpectacularSwaggerView):
    """Swagger UI; whoever is not logged in is led to the door, and back."""

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # wider
        """Answer what was refused."""
        if isinstance(exc, NotAuthenticated):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)
