"""Addresses of the campaign API."""

urlpatterns: list[object] = []
