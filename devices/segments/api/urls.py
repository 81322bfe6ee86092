"""Addresses of the API of segments and lists."""

from rest_framework.routers import SimpleRouter

from devices.segments.api.views import SegmentViewSet, UserListViewSet

router = SimpleRouter()
router.register("segments", SegmentViewSet, basename="segment")
router.register("user-lists", UserListViewSet, basename="user-list")

urlpatterns = router.urls
