from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from campaigns import drafts, services
from campaigns.errors import FieldsRefused, IllegalMove
from campaigns.models import Lane, PushCampaign
from tests.cast import (
    NOW,
    TASK_ID,
    account,
    make_campaign,
    make_devices,
    make_project,
    planned,
    seconds_later,
)
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db

NOBODY = AnonymousUser()
SALE: dict[str, Any] = {"title": "Sale", "message": "Half price.", "target_all": True}
STARTED = ["processing", "paused", "completed", "cancelled", "failed"]


def in_status(status: str, **fields: Any) -> PushCampaign:
    campaign = make_campaign(**fields)
    PushCampaign.objects.filter(pk=campaign.pk).update(status=status)
    return campaign


def complaints(refusal: pytest.ExceptionInfo[FieldsRefused]) -> list[str]:
    return [problem.field for problem in refusal.value.problems]


def stored(campaign: PushCampaign) -> dict[str, Any]:
    return dict(PushCampaign.objects.filter(pk=campaign.pk).values().get())


class TestCreating:
    def test_a_campaign_saves_a_draft_of_its_author(self) -> None:
        author = get_user_model().objects.create_user("ann")
        campaign = drafts.create_campaign(user=author, now=NOW, **SALE)
        saved = PushCampaign.objects.get()
        assert saved == campaign
        assert (saved.status, saved.created_by, saved.priority) == ("draft", author, "normal")
        assert account(saved) == {}

    def test_without_an_account_leaves_the_author_open(self) -> None:
        assert drafts.create_campaign(user=NOBODY, now=NOW, **SALE).created_by_id is None

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            (
                {"image_url": "http://plain.example/x.png", "data_payload": {"from": "us"}},
                ["image_url", "data_payload.from"],
            ),
            ({"target_all": False}, ["target_all"]),
            ({"target_user_ids": ["ann"]}, ["target_user_ids"]),
            ({"expires_at": NOW}, ["expires_at"]),
            (
                {"target_all": False, "title": " ", "expires_at": seconds_later(-1)},
                ["target_all", "title", "expires_at"],
            ),
        ],
        ids=["message", "nobody", "some and everybody", "expired", "all at once"],
    )
    def test_what_could_not_be_sent_is_named_and_saves_nothing(
        self, fields: dict[str, Any], named: list[str]
    ) -> None:
        with pytest.raises(FieldsRefused) as refusal:
            drafts.create_campaign(user=NOBODY, now=NOW, **SALE | fields)
        assert complaints(refusal) == named
        assert not PushCampaign.objects.exists()

    def test_one_that_expires_in_a_moment_is_taken(self) -> None:
        drafts.create_campaign(user=NOBODY, now=NOW, **SALE, expires_at=seconds_later(0.001))
        assert PushCampaign.objects.count() == 1


class TestChanging:
    @pytest.mark.parametrize("status", ["draft", "scheduled"])
    def test_what_is_named_changes_and_the_rest_stays(self, status: str) -> None:
        campaign = in_status(status, scheduled_at=seconds_later(60), link_url="https://a.example/")
        before = stored(campaign)
        changed = drafts.change_campaign(
            campaign_id=campaign.pk, now=NOW, title="Last call", priority="high"
        )
        after = stored(campaign)
        assert after == before | {"title": "Last call", "priority": "high"}
        assert (changed.title, changed.status) == ("Last call", status)

    @pytest.mark.parametrize("status", STARTED)
    def test_what_was_started_stays_as_it_was_sent(self, status: str) -> None:
        campaign = in_status(status)
        before = stored(campaign)
        with pytest.raises(IllegalMove) as refusal:
            drafts.change_campaign(campaign_id=campaign.pk, now=NOW, title="Last call")
        assert (refusal.value.move, refusal.value.status) == ("change", status)
        assert stored(campaign) == before

    def test_the_whole_is_looked_at_and_not_only_what_changes(self) -> None:
        campaign = make_campaign(target_all=False, target_user_ids=["ann"])
        with pytest.raises(FieldsRefused) as refusal:
            drafts.change_campaign(campaign_id=campaign.pk, now=NOW, target_all=True)
        assert complaints(refusal) == ["target_user_ids"]
        assert stored(campaign)["target_all"] is False

    def test_a_scheduled_one_may_not_expire_before_it_is_sent(self) -> None:
        campaign = in_status("scheduled", scheduled_at=seconds_later(3_600))
        with pytest.raises(FieldsRefused) as refusal:
            drafts.change_campaign(
                campaign_id=campaign.pk, now=NOW, expires_at=seconds_later(3_600)
            )
        assert complaints(refusal) == ["expires_at"]
        assert stored(campaign)["expires_at"] is None

    def test_one_that_is_not_there_says_so(self) -> None:
        with pytest.raises(PushCampaign.DoesNotExist):
            drafts.change_campaign(campaign_id=7, now=NOW, title="Last call")

    def test_replacing_resets_what_is_left_out(self) -> None:
        campaign = make_campaign(
            target_all=False,
            target_user_ids=["ann"],
            priority="high",
            data_payload={"sku": "1"},
            rate_limit_per_second=5,
            expires_at=seconds_later(60),
        )
        before = stored(campaign)
        drafts.replace_campaign(campaign_id=campaign.pk, now=NOW, **SALE)
        defaults: dict[str, Any] = {
            "target_user_ids": [],
            "priority": "normal",
            "data_payload": {},
            "rate_limit_per_second": None,
            "expires_at": None,
        }
        assert stored(campaign) == before | defaults | SALE


@pytest.mark.django_db(transaction=True)
def test_a_change_and_a_start_at_once_agree_on_what_is_sent() -> None:
    """Whoever is second meets what the first has done: never a plan for an older audience."""
    shop, other = make_project(), make_project()
    make_devices(shop, 1, user_id="ann")
    make_devices(other, 1, user_id="bob")
    for _ in range(10):
        campaign = make_campaign(target_all=False, target_user_ids=["ann"])
        calls = iter(
            [
                lambda pk=campaign.pk: drafts.change_campaign(
                    campaign_id=pk, now=NOW, target_user_ids=["bob"]
                ),
                lambda pk=campaign.pk: services.start_campaign(
                    campaign_id=pk, task_id=TASK_ID, now=NOW
                ),
            ]
        )

        def call(calls: Any = calls) -> object:
            try:
                return next(calls)()
            except IllegalMove as refusal:
                return refusal

        run_at_once(2, call)
        campaign.refresh_from_db()
        lanes = list(Lane.objects.filter(campaign=campaign).values_list("project_id", flat=True))
        assert campaign.status == "processing"
        assert lanes == [shop.pk if campaign.target_user_ids == ["ann"] else other.pk]


class TestDuplicating:
    def test_a_copy_is_a_draft_of_who_asked_for_it_and_says_the_same(self) -> None:
        author = get_user_model().objects.create_user("ann")
        written = {
            "title": "Sale",
            "message": "Half price today.",
            "priority": "high",
            "image_url": "https://cdn.example/sale.png",
            "link_url": "https://shop.example/",
            "data_payload": {"sku": "4711"},
            "platform_overrides": {"android": {"notification": {"color": "#ff0000"}}},
            "target_all": False,
            "target_user_ids": ["ann", "bob"],
            "time_to_live_s": 60,
            "rate_limit_per_second": 100,
            "guarantee": "at_most_once",
            "expires_at": seconds_later(60),
        }
        original = make_campaign(**written)
        copy = drafts.duplicate_campaign(campaign_id=original.pk, user=author, now=NOW)
        after = stored(copy)
        assert {name: after[name] for name in written} == written
        assert (after["status"], after["created_by_id"]) == ("draft", author.pk)
        assert copy.pk != original.pk

    def test_a_copy_of_what_was_sent_has_an_account_of_its_own(self) -> None:
        original, _ = planned(3)
        copy = drafts.duplicate_campaign(campaign_id=original.pk, user=NOBODY, now=NOW)
        after = stored(copy)
        assert account(copy) == {}
        assert [after[name] for name in ("task_id", "started_at", "scheduled_at")] == [None] * 3
        assert account(original) == {"total_recipients": 3}

    def test_an_expiry_that_has_passed_is_left_out(self) -> None:
        original = in_status("cancelled", expires_at=NOW)
        copy = drafts.duplicate_campaign(campaign_id=original.pk, user=NOBODY, now=NOW)
        assert copy.expires_at is None


class TestDeleting:
    def test_a_draft_is_gone(self) -> None:
        kept, thrown = make_campaign(), make_campaign()
        drafts.delete_draft(campaign_id=thrown.pk)
        assert list(PushCampaign.objects.all()) == [kept]

    @pytest.mark.parametrize("status", ["scheduled", *STARTED])
    def test_anything_but_a_draft_stays(self, status: str) -> None:
        campaign = in_status(status)
        with pytest.raises(IllegalMove) as refusal:
            drafts.delete_draft(campaign_id=campaign.pk)
        assert (refusal.value.move, refusal.value.status) == ("delete", status)
        assert PushCampaign.objects.filter(pk=campaign.pk).exists()

    def test_one_that_is_not_there_says_so(self) -> None:
        with pytest.raises(PushCampaign.DoesNotExist):
            drafts.delete_draft(campaign_id=7)


def test_what_the_engine_counts_is_never_written_with_a_campaign() -> None:
    names = {field.name for field in drafts.written_fields()}
    assert names.isdisjoint(
        {"id", "status", "status_reason", "task_id", "created_by", "created_at", "scheduled_at"}
        | {field.name for field in PushCampaign._meta.fields if field.name.endswith("_count")}
    )
