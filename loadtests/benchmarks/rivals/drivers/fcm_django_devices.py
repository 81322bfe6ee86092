"""fcm-django: `FCMDevice.objects.send_message`, which calls `send_each` for 500 devices a time."""

from __future__ import annotations

from collections.abc import Callable

from firebase_admin import messaging

from loadtests.benchmarks.rivals.drivers.django_app import set_up
from loadtests.benchmarks.rivals.drivers.driving import Job, Told, drive


def prepare(job: Job) -> Callable[[], Told]:
    """Return what sends."""
    set_up("fcm_django", service_account=job.service_account, FCM_DJANGO_SETTINGS={})
    from fcm_django.models import FCMDevice  # Django is set up only now

    FCMDevice.objects.bulk_create(
        [FCMDevice(registration_id=token, type="android") for token in job.tokens],
        batch_size=1_000,
    )

    def send() -> Told:
        told = Told()
        message = messaging.Message(
            notification=messaging.Notification(title=job.title, body=job.body),
            android=messaging.AndroidConfig(priority="high"),
        )
        sent = FCMDevice.objects.send_message(message)
        told.add(sent.response.responses)
        return told

    return send


if __name__ == "__main__":
    drive(prepare)
