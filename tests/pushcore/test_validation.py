from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pushcore.messages import AddressKind, Content, Platform, Template
from pushcore.validation import Problem, largest_size_bytes, validate

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def problems_of(**changes: Any) -> list[tuple[str, str]]:
    fields: dict[str, Any] = {"campaign_id": 7, "title": "Spring", "body": "Sale"} | changes
    return [(p.field, p.code) for p in validate(Content(**fields), now=NOW)]


def test_a_full_sound_content_has_no_problem() -> None:
    assert (
        problems_of(
            data={"a": "1", "frame": "x", "goo": "y", "gc": "z"},
            image_url="https://shop.example/a.png?x=1",
            link_url="https://shop.example:8443/",
            time_to_live_s=2_419_200,
            analytics_label="spring-2026_v1.0~%",
            platform_overrides={"android": {"notification": {"channel_id": "a"}}},
        )
        == []
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": " "}, ("title", "required")),
        ({"body": ""}, ("body", "required")),
        ({"title": 5}, ("title", "type")),
        ({"image_url": "http://shop.example/a.png"}, ("image_url", "url")),
        ({"image_url": "https://"}, ("image_url", "url")),
        ({"image_url": "https://[shop"}, ("image_url", "url")),
        ({"link_url": "https://shop.example:port/"}, ("link_url", "url")),
        ({"link_url": "https://shop example/"}, ("link_url", "url")),
        ({"link_url": "javascript:alert(1)"}, ("link_url", "url")),
        ({"link_url": ["https://shop.example"]}, ("link_url", "url")),
        ({"data": {"from": "x"}}, ("data.from", "reserved")),
        ({"data": {"message_type": "x"}}, ("data.message_type", "reserved")),
        ({"data": {"google.x": "x"}}, ("data.google.x", "reserved")),
        ({"data": {"gcmx": "x"}}, ("data.gcmx", "reserved")),
        ({"data": {"pushcore_id": "x"}}, ("data.pushcore_id", "reserved")),
        ({"data": {"n": 5}}, ("data.n", "type")),
        ({"data": {"n": None}}, ("data.n", "type")),
        ({"data": {"": "x"}}, ("data", "type")),
        ({"data": ["x"]}, ("data", "type")),
        ({"time_to_live_s": -1}, ("time_to_live_s", "range")),
        ({"time_to_live_s": 2_419_201}, ("time_to_live_s", "range")),
        ({"time_to_live_s": "60"}, ("time_to_live_s", "type")),
        ({"time_to_live_s": True}, ("time_to_live_s", "type")),
        ({"analytics_label": "a b"}, ("analytics_label", "format")),
        ({"analytics_label": "a" * 51}, ("analytics_label", "format")),
        ({"analytics_label": "a\n"}, ("analytics_label", "format")),
        ({"campaign_id": "x" * 56}, ("campaign_id", "too_large")),
        ({"platform_overrides": {"ios": {}}}, ("platform_overrides.ios", "unknown")),
        ({"platform_overrides": {"apns": []}}, ("platform_overrides.apns", "type")),
        ({"platform_overrides": []}, ("platform_overrides", "type")),
        (
            {"platform_overrides": {"android": {"data": {"gcm": "x"}}}},
            ("platform_overrides.android.data.gcm", "reserved"),
        ),
        (
            {"platform_overrides": {"android": {"collapse_key": "x"}}},
            ("platform_overrides.android.collapse_key", "reserved"),
        ),
        (
            {"platform_overrides": {"apns": {"headers": {"apns-collapse-id": "x"}}}},
            ("platform_overrides.apns.headers.apns-collapse-id", "reserved"),
        ),
        ({"platform_overrides": {"android": {"x": {1, 2}}}}, ("content", "type")),
        ({"title": "\ud800"}, ("content", "type")),
    ],
)
def test_what_the_provider_would_refuse_is_found(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert problems_of(**changes) == [expected]


def test_each_problem_is_told() -> None:
    assert problems_of(title="", data={"from": "x", "n": 1}, time_to_live_s=-1) == [
        ("title", "required"),
        ("data.from", "reserved"),
        ("data.n", "type"),
        ("time_to_live_s", "range"),
    ]


class TestSize:
    def test_4096_bytes_pass_and_one_more_does_not(self) -> None:
        def sized(body: str) -> Content:
            return Content(campaign_id=7, title="Spring", body=body)

        fill = "x" * (4_096 - largest_size_bytes(sized(""), now=NOW))

        assert validate(sized(fill), now=NOW) == []
        assert validate(sized(fill + "x"), now=NOW) == [
            Problem("content", "too_large", "The message is 4097 bytes, FCM takes 4096.")
        ]

    def test_it_is_counted_in_bytes_of_utf_8(self) -> None:
        assert problems_of(body="ж" * 2_000) == [("content", "too_large")]

    def test_the_largest_platform_counts(self) -> None:
        content = Content(
            campaign_id=7,
            title="Spring",
            body="Sale",
            platform_overrides={"webpush": {"data": {"a": "x" * 500}}},
        )

        web = Template(content, now=NOW).variant_for(Platform.WEB, AddressKind.TOKEN)

        assert largest_size_bytes(content, now=NOW) == web.size_bytes
