"""The pages that describe the API, for people with a browser."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.exceptions import NotAuthenticated, PermissionDenied

from campaigns.access.scopes import Role


class DocsView(SpectacularSwaggerView):
    """Swagger UI; whoever is not logged in is led to the door, and back."""

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # wider
        """Answer what was refused; a person without a role is told how to come by one."""
        if isinstance(exc, NotAuthenticated):
            return redirect_to_login(self.request.get_full_path())
        if isinstance(exc, PermissionDenied):
            roles = [role.value for role in Role]
            return render(self.request, "access/no_role.html", {"roles": roles}, status=403)
        return super().handle_exception(exc)
