"""Addresses of what is for administrators."""

from rest_framework.routers import SimpleRouter

from campaigns.access.api.trail import AuditLogViewSet
from campaigns.access.api.views import ApiKeyViewSet

router = SimpleRouter()
router.register("api-keys", ApiKeyViewSet, basename="api-key")
router.register("audit-log", AuditLogViewSet, basename="audit-log")

urlpatterns = router.urls
