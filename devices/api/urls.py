"""Addresses of the device API."""

from rest_framework.routers import SimpleRouter

from devices.api.views import DeviceViewSet, ImportViewSet

router = SimpleRouter()
router.register("devices/imports", ImportViewSet, basename="device-import")
router.register("devices", DeviceViewSet, basename="device")

urlpatterns = router.urls
