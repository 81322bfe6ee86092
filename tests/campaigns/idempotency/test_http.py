"""`Idempotency-Key` on the routes that create and send."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from pytest_django import DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from campaigns.idempotency.models import KeptAnswer
from campaigns.models import PushCampaign
from tests.answers import complaints_in, error_in
from tests.campaigns.conftest import Broker
from tests.cast import make_campaign, status_of
from tests.concurrency import run_at_once

SALE = {"title": "Sale", "message": "Half price today.", "target_all": True}


def client_of(name: str) -> APIClient:
    user, _ = get_user_model().objects.get_or_create(username=name, is_superuser=True)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def ann(broker: Broker) -> APIClient:
    return client_of("ann")


def create(client: APIClient, key: str = "k-1", **fields: Any) -> Any:
    return client.post(
        "/api/campaigns/", SALE | fields, format="json", headers={"Idempotency-Key": key}
    )


@pytest.mark.django_db
def test_a_campaign_that_is_created_again_is_the_first_one(ann: APIClient) -> None:
    first, again = create(ann), create(ann)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert PushCampaign.objects.count() == 1


@pytest.mark.django_db
def test_without_a_key_each_is_its_own(ann: APIClient) -> None:
    for _ in range(2):
        ann.post("/api/campaigns/", SALE, format="json")
    assert (PushCampaign.objects.count(), KeptAnswer.objects.count()) == (2, 0)


@pytest.mark.django_db
def test_another_body_under_the_key_is_422(ann: APIClient) -> None:
    create(ann)
    answer = create(ann, title="Last call")
    assert (answer.status_code, PushCampaign.objects.count()) == (422, 1)
    assert error_in(answer.json())[0] == "idempotency_key_reused"


@pytest.mark.django_db
def test_two_people_may_use_one_key(ann: APIClient) -> None:
    assert create(ann).json()["id"] != create(client_of("bob")).json()["id"]


@pytest.mark.django_db
def test_a_request_that_was_refused_may_be_mended_under_its_key(ann: APIClient) -> None:
    assert create(ann, title="").status_code == 400
    assert create(ann).status_code == 201


@pytest.mark.django_db
def test_what_is_no_key_is_refused_by_the_headers_name(ann: APIClient) -> None:
    answer = create(ann, key="a b")
    assert (answer.status_code, PushCampaign.objects.count()) == (400, 0)
    assert list(complaints_in(answer.json())) == ["Idempotency-Key"]


@pytest.mark.django_db
def test_sending_again_under_its_key_is_no_conflict(
    ann: APIClient,
    broker: Broker,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    campaign = make_campaign()
    path = f"/api/campaigns/{campaign.pk}/send/"
    with django_capture_on_commit_callbacks(execute=True):
        first = ann.post(path, headers={"Idempotency-Key": "k-1"})
        again = ann.post(path, headers={"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert ann.post(path, headers={"Idempotency-Key": "k-2"}).status_code == 409
    assert len(broker.take_all("default")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["duplicate", "schedule", "resume", "retry-failed", "test"])
def test_every_action_that_sends_or_creates_takes_a_key(ann: APIClient, action: str) -> None:
    """Refused under the key of another request, before anything else is looked at."""
    create(ann)
    campaign = PushCampaign.objects.get()
    path = f"/api/campaigns/{campaign.pk}/{action}/"
    answer = ann.post(path, {}, format="json", headers={"Idempotency-Key": "k-1"})
    assert (answer.status_code, status_of(campaign)) == (422, "draft")


@pytest.mark.django_db(transaction=True)
def test_twenty_retries_at_once_make_one_campaign(broker: Broker) -> None:
    client_of("ann")

    def call() -> int:
        return int(create(client_of("ann")).status_code)

    statuses = run_at_once(20, call)
    assert PushCampaign.objects.count() == 1
    assert 201 in statuses
    assert set(statuses) <= {201, 409}


@pytest.mark.django_db(transaction=True)
def test_twenty_impatient_senders_publish_one_plan(broker: Broker) -> None:
    campaign = make_campaign()
    client_of("ann")

    def call() -> int:
        path = f"/api/campaigns/{campaign.pk}/send/"
        answer = client_of("ann").post(path, headers={"Idempotency-Key": "k-1"})
        return int(answer.status_code)

    assert set(run_at_once(20, call)) <= {202, 409}
    assert len(broker.take_all("default")) == 1
