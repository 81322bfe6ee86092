"""django-push-notifications: a query set's `send_message`, `send_each` for 500 a time."""

from __future__ import annotations

from collections.abc import Callable

from firebase_admin import messaging

from loadtests.benchmarks.rivals.drivers.django_app import set_up
from loadtests.benchmarks.rivals.drivers.driving import BATCH, Job, Told, drive


def prepare(job: Job) -> Callable[[], Told]:
    """Return what sends."""
    # Its own default of 1,000 is more than firebase-admin takes in one call.
    its_settings = {"FCM_MAX_RECIPIENTS": BATCH, "UNIQUE_REG_ID": True}
    set_up(
        "push_notifications",
        service_account=job.service_account,
        PUSH_NOTIFICATIONS_SETTINGS=its_settings,
    )
    from push_notifications.models import GCMDevice  # Django is set up only now

    GCMDevice.objects.bulk_create(
        [GCMDevice(registration_id=token, cloud_message_type="FCM") for token in job.tokens],
        batch_size=1_000,
    )

    def send() -> Told:
        told = Told()
        message = messaging.Message(
            notification=messaging.Notification(title=job.title, body=job.body),
            android=messaging.AndroidConfig(priority="high"),
        )
        told.add(GCMDevice.objects.all().send_message(message).responses)
        return told

    return send


if __name__ == "__main__":
    drive(prepare)
