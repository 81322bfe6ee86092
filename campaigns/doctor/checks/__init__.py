"""The checks, by the name that a finding is shown under; each looks at one thing."""

from __future__ import annotations

from typing import Final

from campaigns.doctor.checks import campaigns, celery, disk, planned, postgres, provider, redis
from campaigns.doctor.examination import Check

ALL: Final[dict[str, Check]] = {
    "database": postgres.check_migrations,
    "database settings": postgres.check_settings,
    "connections": postgres.check_connections,
    "Redis": redis.check_redis,
    "queues": celery.check_queues,
    "workers": celery.check_workers,
    "beat": celery.check_beat,
    "clocks": redis.check_clocks,
    "FCM": provider.check_projects,
    "quota": provider.check_quota,
    "campaigns": campaigns.check_progress,
    "schedules": planned.check_schedules,
    "accounts": campaigns.check_accounts,
    "notifications": campaigns.check_notifications,
    "API keys": planned.check_keys,
    "disk": disk.check_disk,
}
"""What `manage.py doctor` runs."""

READINESS: Final[dict[str, Check]] = {
    "database": postgres.check_migrations,
    "Redis": redis.check_answers,
    "broker": celery.check_broker,
}
"""What a web server needs to serve."""
