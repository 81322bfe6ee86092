"""Campaigns that come again: cron, time zones, windows."""
