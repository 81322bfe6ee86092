"""Addresses of the schedules' API."""

from rest_framework.routers import SimpleRouter

from campaigns.schedules.api.views import ScheduleViewSet

router = SimpleRouter()
router.register("schedules", ScheduleViewSet, basename="schedule")

urlpatterns = router.urls
