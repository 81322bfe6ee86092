"""What happens under one key, whatever is done under it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from campaigns.idempotency import keys
from campaigns.idempotency.keys import Answer, KeyInFlight, KeyMalformed, KeyReused
from campaigns.idempotency.models import KeptAnswer
from campaigns.idempotency.tasks import purge
from campaigns.models import PushCampaign
from tests.cast import NOW, make_campaign, seconds_later
from tests.concurrency import cut_the_connection, run_at_once

CREATED = Answer(201, '{"id":7}', {"Location": "/7"})
A_DAY_LATER = NOW + timedelta(hours=24)


class Refused(Exception):
    """What was asked was not done."""


def request(key: str = "k-1", *, caller: str = "user 1", **changes: Any) -> keys.Request:
    parts = {"method": "POST", "path": "/api/campaigns/", "body": {"title": "Sale", "n": 1}}
    return keys.Request(caller=caller, key=key, **parts | changes)


def no_work() -> Answer:
    pytest.fail("it was done again")


def make_one() -> Answer:
    make_campaign()
    return CREATED


def after_claim(work: Callable[[], Answer], **kwargs: Any) -> Answer:
    return keys.answer_after_claim(request(), now=NOW, work=work, refusals=(Refused,), **kwargs)


@pytest.mark.django_db
def test_the_second_time_the_first_answer_is_given() -> None:
    first = keys.answer_once(request(), now=NOW, work=make_one)
    again = keys.answer_once(request(), now=seconds_later(86_399), work=no_work)
    assert first == CREATED
    assert again == Answer(201, '{"id":7}', {"Location": "/7"}, is_replayed=True)
    assert PushCampaign.objects.count() == 1


@pytest.mark.django_db
def test_two_writings_of_one_body_are_one_request() -> None:
    keys.answer_once(request(), now=NOW, work=make_one)
    again = request(body={"n": 1, "title": "Sale"})
    assert keys.answer_once(again, now=NOW, work=no_work).is_replayed


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [{"body": {"title": "Sale", "n": 2}}, {"path": "/api/campaigns/7/send/"}, {"method": "PUT"}],
    ids=["body", "path", "method"],
)
def test_another_request_under_the_key_is_refused(change: dict[str, Any]) -> None:
    keys.answer_once(request(), now=NOW, work=make_one)
    with pytest.raises(KeyReused):
        keys.answer_once(request(**change), now=NOW, work=no_work)


@pytest.mark.django_db
def test_each_caller_has_keys_of_its_own() -> None:
    keys.answer_once(request(caller="user 1"), now=NOW, work=make_one)
    answer = keys.answer_once(request(caller="user 2"), now=NOW, work=make_one)
    assert (answer.is_replayed, PushCampaign.objects.count()) == (False, 2)


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "ключ", "x" * 256, "a\nb"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(KeyMalformed):
        keys.answer_once(request(key), now=NOW, work=no_work)


@pytest.mark.django_db
def test_what_was_refused_leaves_the_key_free() -> None:
    def refuse() -> Answer:
        make_campaign()
        raise Refused

    with pytest.raises(Refused):
        keys.answer_once(request(), now=NOW, work=refuse)
    assert (PushCampaign.objects.count(), KeptAnswer.objects.count()) == (0, 0)
    assert keys.answer_once(request(body={}), now=NOW, work=make_one) == CREATED


@pytest.mark.django_db
def test_after_a_day_a_key_is_as_good_as_new() -> None:
    keys.answer_once(request(), now=NOW, work=make_one)
    answer = keys.answer_once(request(body={}), now=A_DAY_LATER, work=make_one)
    assert (answer.is_replayed, KeptAnswer.objects.get().created_at) == (False, A_DAY_LATER)


@pytest.mark.django_db
def test_the_purge_takes_what_is_a_day_old_and_nothing_else() -> None:
    keys.answer_once(request("old"), now=NOW, work=make_one)
    keys.answer_once(request("new"), now=seconds_later(1), work=make_one)
    assert keys.purge_forgotten(now=A_DAY_LATER) == 1
    assert KeptAnswer.objects.get().key == "new"
    purge()  # by the real clock all of it is long ago
    assert not KeptAnswer.objects.exists()


@pytest.mark.django_db
def test_the_database_itself_keeps_a_key_from_being_there_twice() -> None:
    def row() -> KeptAnswer:
        return KeptAnswer(caller="user 1", key="k-1", fingerprint=b"", created_at=NOW)

    row().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        row().save()


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_is_done_and_the_others_are_told_so() -> None:
    def call() -> str:
        try:
            answer = keys.answer_once(request(), now=NOW, work=make_one)
        except KeyInFlight:
            return "in flight"
        assert answer.body == CREATED.body
        return "replayed" if answer.is_replayed else "done"

    outcomes = run_at_once(20, call)
    assert (outcomes.count("done"), PushCampaign.objects.count()) == (1, 1)
    assert set(outcomes) <= {"done", "in flight", "replayed"}


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_worked_on_the_second_is_not_kept_waiting() -> None:
    def meanwhile() -> Answer:
        with pytest.raises(KeyInFlight):
            run_at_once(1, lambda: keys.answer_once(request(), now=NOW, work=no_work))
        return make_one()

    assert keys.answer_once(request(), now=NOW, work=meanwhile) == CREATED


@pytest.mark.django_db(transaction=True)
def test_whoever_dies_between_effect_and_record_leaves_neither() -> None:
    def die() -> Answer:
        make_campaign()
        cut_the_connection()
        return CREATED

    with pytest.raises(Exception, match=r"terminat|closed"):
        run_at_once(1, lambda: keys.answer_once(request(), now=NOW, work=die))
    assert (PushCampaign.objects.count(), KeptAnswer.objects.count()) == (0, 0)
    keys.answer_once(request(), now=NOW, work=make_one)
    assert PushCampaign.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_claimed_key_is_in_flight_for_everybody_while_it_is_worked_on() -> None:
    def meanwhile() -> Answer:
        with pytest.raises(KeyInFlight):
            run_at_once(1, lambda: after_claim(no_work))
        assert not connection.in_atomic_block  # a slow provider holds no transaction open
        return CREATED

    assert after_claim(meanwhile) == CREATED
    assert after_claim(no_work).is_replayed


@pytest.mark.django_db
def test_a_claimed_key_is_free_again_where_nothing_was_done() -> None:
    def refuse() -> Answer:
        raise Refused

    with pytest.raises(Refused):
        after_claim(refuse)
    assert after_claim(lambda: CREATED) == CREATED


@pytest.mark.django_db
def test_a_claimed_key_stays_taken_where_nobody_knows_what_was_done() -> None:
    def crash() -> Answer:
        raise OSError("cut off")

    with pytest.raises(OSError, match="cut off"):
        after_claim(crash)
    with pytest.raises(KeyInFlight):
        after_claim(no_work)
