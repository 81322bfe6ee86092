"""Addresses of the channels' API."""

from rest_framework.routers import SimpleRouter

from campaigns.notifications.api.views import ChannelViewSet

router = SimpleRouter()
router.register("notification-channels", ChannelViewSet, basename="notification-channel")

urlpatterns = router.urls
