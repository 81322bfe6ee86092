"""Every address that the web server answers."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from campaigns.api.docs import DocsView
from campaigns.api.metrics import MetricsView
from campaigns.doctor.probes import healthz, readyz
from campaigns.notifications.pages import unsubscribe

admin.site.site_header = admin.site.site_title = "Pushcore"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs"), name="home"),
    path("admin/", admin.site.urls),
    path("api/", include("campaigns.api.urls")),
    path("api/", include("campaigns.access.api.urls")),
    path("api/", include("campaigns.notifications.api.urls")),
    path("api/", include("campaigns.schedules.api.urls")),
    path("api/", include("devices.api.urls")),
    path("api/", include("devices.segments.api.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("login/", LoginView.as_view(template_name="access/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/docs/", DocsView.as_view(), name="docs"),
]

handler400 = "campaigns.api.errors.bad_request"
handler403 = "campaigns.api.errors.permission_denied"
handler404 = "campaigns.api.errors.not_found"
handler500 = "campaigns.api.errors.server_error"
