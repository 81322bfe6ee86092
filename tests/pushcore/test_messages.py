from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from firebase_admin import messaging
from firebase_admin._messaging_encoder import MessageEncoder
from hypothesis import given
from hypothesis import strategies as st

from pushcore.messages import AddressKind, Content, Platform, Priority, Template, lifetime_s

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def content(**changes: Any) -> Content:
    fields: dict[str, Any] = {"campaign_id": 7, "title": "Spring", "body": "Sale today"} | changes
    return Content(**fields)


def rendered(
    what: Content, platform: Platform, *, kind: AddressKind = AddressKind.TOKEN
) -> dict[str, Any]:
    body = Template(what, now=NOW).variant_for(platform, kind).render("abc:def", 42)
    request: dict[str, Any] = json.loads(body)
    assert list(request) == ["message"]
    message: dict[str, Any] = request["message"]
    return message


class TestShape:
    def test_android(self) -> None:
        assert rendered(content(), Platform.ANDROID) == {
            "token": "abc:def",
            "notification": {"title": "Spring", "body": "Sale today"},
            "data": {"pushcore_id": "7.42"},
            "android": {"priority": "NORMAL", "notification": {"tag": "pushcore-7"}},
        }

    def test_ios(self) -> None:
        assert rendered(content(), Platform.IOS) == {
            "token": "abc:def",
            "notification": {"title": "Spring", "body": "Sale today"},
            "data": {"pushcore_id": "7.42"},
            "apns": {"headers": {"apns-priority": "5", "apns-collapse-id": "pushcore-7"}},
        }

    def test_web(self) -> None:
        assert rendered(content(link_url="https://shop.example/a"), Platform.WEB) == {
            "token": "abc:def",
            "notification": {"title": "Spring", "body": "Sale today"},
            "data": {"pushcore_id": "7.42", "link": "https://shop.example/a"},
            "webpush": {
                "headers": {"Urgency": "normal"},
                "fcm_options": {"link": "https://shop.example/a"},
                "notification": {"tag": "pushcore-7"},
            },
        }

    def test_an_installation_id_goes_into_its_own_field(self) -> None:
        message = rendered(content(), Platform.ANDROID, kind=AddressKind.FID)

        assert message["fid"] == "abc:def"
        assert "token" not in message

    def test_an_image_lets_ios_wake_the_apps_extension(self) -> None:
        message = rendered(content(image_url="https://shop.example/a.png"), Platform.IOS)

        assert message["notification"]["image"] == "https://shop.example/a.png"
        assert message["apns"]["payload"] == {"aps": {"mutable-content": 1}}

    def test_the_campaigns_own_data_comes_along_and_its_own_link_stays(self) -> None:
        message = rendered(
            content(data={"a": "1", "link": "app://x"}, link_url="https://shop.example/"),
            Platform.ANDROID,
        )

        assert message["data"] == {"pushcore_id": "7.42", "a": "1", "link": "app://x"}

    def test_the_analytics_label_is_fcms(self) -> None:
        message = rendered(content(analytics_label="spring-26"), Platform.WEB)

        assert message["fcm_options"] == {"analytics_label": "spring-26"}

    @pytest.mark.parametrize(
        ("priority", "android", "apns", "urgency"),
        [
            (Priority.HIGH, "HIGH", "10", "high"),
            (Priority.NORMAL, "NORMAL", "5", "normal"),
            (Priority.LOW, "NORMAL", "5", "low"),
        ],
    )
    def test_priority(self, priority: Priority, android: str, apns: str, urgency: str) -> None:
        what = content(priority=priority)

        assert rendered(what, Platform.ANDROID)["android"]["priority"] == android
        assert rendered(what, Platform.IOS)["apns"]["headers"]["apns-priority"] == apns
        assert rendered(what, Platform.WEB)["webpush"]["headers"]["Urgency"] == urgency


class TestLifetime:
    def test_a_time_to_live_is_said_in_each_platforms_way(self) -> None:
        what = content(time_to_live_s=3_600)

        assert rendered(what, Platform.ANDROID)["android"]["ttl"] == "3600s"
        assert rendered(what, Platform.WEB)["webpush"]["headers"]["TTL"] == "3600"
        headers = rendered(what, Platform.IOS)["apns"]["headers"]
        assert headers["apns-expiration"] == str(EPOCH + 3_600)

    def test_zero_is_now_or_never(self) -> None:
        what = content(time_to_live_s=0)

        assert rendered(what, Platform.ANDROID)["android"]["ttl"] == "0s"
        assert rendered(what, Platform.IOS)["apns"]["headers"]["apns-expiration"] == "0"

    @pytest.mark.parametrize(
        ("ttl", "ends_in_s", "expected"),
        [
            (None, None, None),
            (60, None, 60),
            (None, 90, 90),
            (60, 90, 60),
            (120, 90, 90),
            (120, -5, 0),
            (None, 60 * 86_400, 28 * 86_400),  # FCM refuses to be asked for more
        ],
    )
    def test_the_earlier_end_counts(
        self, ttl: int | None, ends_in_s: int | None, expected: int | None
    ) -> None:
        expires_at = None if ends_in_s is None else NOW + timedelta(seconds=ends_in_s)

        what = content(time_to_live_s=ttl, expires_at=expires_at)

        assert lifetime_s(what, now=NOW) == expected


class TestOverrides:
    def test_they_are_merged_deep_over_what_stands_there(self) -> None:
        overrides = {
            "android": {
                "priority": "HIGH",
                "notification": {"channel_id": "sales", "color": "#ff0000"},
            }
        }

        section = rendered(content(platform_overrides=overrides), Platform.ANDROID)["android"]

        assert section == {
            "priority": "HIGH",
            "notification": {"channel_id": "sales", "color": "#ff0000", "tag": "pushcore-7"},
        }

    def test_they_concern_their_own_platform_only(self) -> None:
        overrides = {"apns": {"payload": {"aps": {"sound": "default"}}}}

        assert "apns" not in rendered(content(platform_overrides=overrides), Platform.WEB)

    def test_the_stable_ids_win(self) -> None:
        overrides = {
            "android": {"notification": {"tag": "mine"}},
            "apns": {"headers": {"apns-collapse-id": "mine"}},
            "webpush": {"notification": {"tag": "mine"}},
        }
        what = content(platform_overrides=overrides)

        assert rendered(what, Platform.ANDROID)["android"]["notification"]["tag"] == "pushcore-7"
        headers = rendered(what, Platform.IOS)["apns"]["headers"]
        assert headers["apns-collapse-id"] == "pushcore-7"
        assert rendered(what, Platform.WEB)["webpush"]["notification"]["tag"] == "pushcore-7"


class TestSplicing:
    @given(
        address=st.text(min_size=1),
        device_id=st.integers(1, 2**63 - 1),
        campaign_id=st.one_of(st.integers(0), st.text(min_size=1)),
        data=st.dictionaries(
            st.text(min_size=1).filter(lambda key: key != "pushcore_id"), st.text(), max_size=3
        ),
        title=st.text(),
    )
    def test_whatever_is_spliced_in_stays_json(
        self,
        *,
        address: str,
        device_id: int,
        campaign_id: int | str,
        data: dict[str, str],
        title: str,
    ) -> None:
        what = content(campaign_id=campaign_id, data=data, title=title)
        variant = Template(what, now=NOW).variant_for(Platform.IOS, AddressKind.TOKEN)

        message = json.loads(variant.render(address, device_id))["message"]

        assert message["token"] == address
        assert message["notification"]["title"] == title
        assert message["data"] == {"pushcore_id": f"{campaign_id}.{device_id}", **data}

    def test_a_dry_run_is_the_same_message_to_be_checked_only(self) -> None:
        variant = Template(content(), now=NOW).variant_for(Platform.WEB, AddressKind.FID)

        request = json.loads(variant.render_dry_run("abc", 1))

        assert request == {"validate_only": True, **json.loads(variant.render("abc", 1))}

    def test_a_variant_is_rendered_once(self) -> None:
        template = Template(content(), now=NOW)

        first = template.variant_for(Platform.WEB, AddressKind.FID)

        assert template.variant_for(Platform.WEB, AddressKind.FID) is first

    def test_its_size_is_that_of_the_message_without_its_target(self) -> None:
        variant = Template(content(title="Привет"), now=NOW).variant_for(
            Platform.IOS, AddressKind.TOKEN
        )
        message = json.loads(variant.render("abc", 9_223_372_036_854_775_807))["message"]
        del message["token"]

        compact = json.dumps(message, ensure_ascii=False, separators=(",", ":"))

        assert variant.size_bytes == len(compact.encode())


def test_firebase_admin_encodes_the_same_content_to_the_same_message() -> None:
    what = content(
        data={"a": "1"},
        priority=Priority.HIGH,
        time_to_live_s=3_600,
        image_url="https://shop.example/a.png",
        link_url="https://shop.example/",
        analytics_label="spring",
    )
    shared = {
        "fid": "abc:def",
        "notification": messaging.Notification(
            title="Spring", body="Sale today", image="https://shop.example/a.png"
        ),
        "data": {"pushcore_id": "7.42", "a": "1", "link": "https://shop.example/"},
        "fcm_options": messaging.FCMOptions(analytics_label="spring"),
    }
    sections: dict[Platform, dict[str, Any]] = {
        Platform.ANDROID: {
            "android": messaging.AndroidConfig(
                priority="high",
                ttl=timedelta(hours=1),
                notification=messaging.AndroidNotification(tag="pushcore-7"),
            )
        },
        Platform.IOS: {
            "apns": messaging.APNSConfig(
                headers={
                    "apns-priority": "10",
                    "apns-expiration": str(EPOCH + 3_600),
                    "apns-collapse-id": "pushcore-7",
                },
                payload=messaging.APNSPayload(messaging.Aps(mutable_content=True)),
            )
        },
        Platform.WEB: {
            "webpush": messaging.WebpushConfig(
                headers={"TTL": "3600", "Urgency": "high"},
                notification=messaging.WebpushNotification(tag="pushcore-7"),
                fcm_options=messaging.WebpushFCMOptions(link="https://shop.example/"),
            )
        },
    }
    for platform, section in sections.items():
        theirs = MessageEncoder().default(messaging.Message(**shared, **section))
        if platform is Platform.ANDROID:
            # The enum's name is upper case in the REST reference; the SDK sends it in lower case.
            theirs["android"]["priority"] = theirs["android"]["priority"].upper()
        assert rendered(what, platform, kind=AddressKind.FID) == theirs
