"""What people read: golden texts, and that nothing a feed writes can act."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import html as lxml_html
from notify_examples import DATA, FIRED, LINKS, alert, envelope, message, payload

from pipeline.notify import message as rendering
from pipeline.notify import phrases
from pipeline.notify.digest import digest_message
from pipeline.notify.message import note_message

STANDS_FOR = ("Nordbank", "Markets", "Halvorsen Shipping", "Energy", "Macro", "Lending", "Fraud")


@pytest.mark.parametrize(
    ("name", "kind", "changes"),
    [
        ("company_crisis", "open", {}),
        ("company_crisis", "resolve", {}),
        ("market_wide", "open", {"stands_for": STANDS_FOR}),
        ("one_source", "open", {}),
        ("minimal", "open", {}),
    ],
)
def test_text_is_the_golden_text(name: str, kind: str, changes: dict[str, Any]) -> None:
    """After a change that is meant, write the file anew from the text that pytest shows."""
    golden = (DATA / f"{name}.{kind}.txt").read_text(encoding="utf-8")
    assert message(name, kind, **changes).text == golden


@pytest.mark.parametrize(
    ("name", "kind", "subject"),
    [
        ("company_crisis", "open", "Critical · Nordbank: 23 negative stories in 4 h, 3.1 expected"),
        ("company_crisis", "rise", "Now critical · Nordbank: 23 negative stories in 4 h, 3.1 expected"),
        (
            "company_crisis",
            "resolve",
            "Resolved · Nordbank: calm again after 9 h 30 min, at most 23 negative stories in 4 h",
        ),
        ("market_wide", "open", "Critical · Market-wide: 412 negative stories in 4 h, 214 expected"),
        ("one_source", "open", "Warning · Fraud and misconduct: 7 negative stories in 1 h, 1.4 expected"),
    ],
)
def test_subject_can_be_read_alone(name: str, kind: str, subject: str) -> None:
    assert message(name, kind).subject == subject


def test_a_test_alert_says_so_first() -> None:
    told = message("company_crisis", "test", is_test=True)
    assert told.subject.startswith("[Test] Critical · Nordbank")
    assert "nothing has happened" in told.text
    assert "nothing has happened" in told.html
    assert "nothing has happened" in json.dumps(told.blocks)


def test_text_and_html_tell_the_same() -> None:
    told = message("company_crisis")
    page = " ".join(lxml_html.fromstring(told.html).text_content().split())
    for word in ("23 negative stories in 4 hours", "about 1 in 320 million", "14 sources, 96 articles"):
        assert word in page
        assert word in told.text
    for story in payload("company_crisis")["stories"][:6]:
        assert story["title"] in page
        assert story["title"] in " ".join(told.text.split())


def test_acknowledged_and_resolved_alerts_offer_no_acknowledge() -> None:
    assert "Acknowledge " in message("company_crisis").text
    assert "Acknowledge " not in message("company_crisis", acknowledged_by="m.keller").text
    assert "Acknowledge " not in message("company_crisis", "resolve").text


def test_resolve_shows_the_height_and_the_newest_chart() -> None:
    calm = {
        **payload("company_crisis"),
        "negative": 2,
        "stories": [],
        "chart": payload("one_source")["chart"],
    }
    height = payload("company_crisis")
    told = rendering.alert_message(envelope("resolve"), calm, alert(height, "resolve"), LINKS)
    assert "23 negative stories" in told.text
    assert max(point.negative for point in told.chart) == 7


# ---- hostile text


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    ):
        yield from walk(inner)


def test_html_of_hostile_text_holds_only_our_own_elements() -> None:
    ours = lxml_html.fromstring(message("company_crisis").html)
    page = lxml_html.fromstring(message("hostile").html)
    assert {e.tag for e in page.iter() if isinstance(e.tag, str)} <= {
        e.tag for e in ours.iter() if isinstance(e.tag, str)
    }
    assert len(page.findall(".//style")) == 1
    assert [image.get("src") for image in page.iter("img")] == ["cid:chart"]
    assert not [name for e in page.iter() for name in e.attrib if name.lower().startswith("on")]
    assert all(a.get("href").startswith("https://undertow.bank.example/") for a in page.iter("a"))
    assert "<img src=x onerror=alert(1)>" in page.text_content()
    assert "{{ 7*7 }}" in page.text_content()


def test_hostile_text_forges_no_lines() -> None:
    told = message("hostile")
    for text in (told.subject, told.summary):
        assert "\n" not in text
        assert "\r" not in text
    assert "\nSubject: forged" not in told.text
    assert "\x1b" not in told.text
    assert "\u202e" not in told.text
    assert "javascript:" not in told.text
    assert max(len(line) for line in told.text.splitlines()) < 250


def test_slack_reads_no_markup_in_what_feeds_wrote() -> None:
    told = message("hostile")
    for part in walk([list(told.blocks), list(told.reply)]):
        if part.get("type") == "mrkdwn":
            assert "<" not in part["text"]
            assert "&lt;!" not in part["text"] or "!channel" not in part["text"]
        if part.get("type") == "link":
            assert part["url"].startswith("https://undertow.bank.example/")
    assert any("<!channel>" in str(part.get("text")) for part in walk(list(told.blocks)))


def test_slack_fallback_is_escaped() -> None:
    from pipeline.notify.slack import _common

    text = _common(message("hostile"))["text"]
    assert "<" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("name", ["company_crisis", "market_wide", "one_source", "hostile", "minimal"])
@pytest.mark.parametrize("kind", ["open", "rise", "resolve"])
def test_slack_limits(name: str, kind: str) -> None:
    told = message(name, kind)
    for blocks in (told.blocks, told.reply):
        assert 0 < len(blocks) <= 50
        assert len(json.dumps(blocks)) < 16_000
        for part in walk(list(blocks)):
            assert part.get("text") != ""
            if part.get("type") == "header":
                assert len(part["text"]["text"]) <= 150
            if part.get("type") == "section":
                assert 1 <= len(part["fields"]) <= 10
                assert all(len(field["text"]) <= 2000 for field in part["fields"])
            if part.get("type") in ("rich_text_section", "rich_text_list", "rich_text"):
                assert part["elements"]


# ---- messages of no alert


def test_note() -> None:
    told = note_message(
        envelope("operator"),
        {"subject": "3 feeds\nare in trouble", "lines": ["<b>one</b>", "two"]},
        "https://d.example",
    )
    assert told.subject == "3 feeds are in trouble"
    assert "- <b>one</b>\n- two" in told.text
    assert "&lt;b&gt;one" in told.html


def test_digest_counts_and_names() -> None:
    figures = {
        "every": "day",
        "start": "2026-09-14T05:00:00+00:00",
        "end": "2026-09-15T05:00:00+00:00",
        "alerts": [
            {
                "id": 3, "series_kind": "company", "title": "Nordbank", "severity": "critical", "state": "resolved",
                "fired_at": FIRED.isoformat(), "resolved_at": FIRED.replace(hour=20).isoformat(), "negative": 23,
                "expected": 3.1, "top_story": "<script>x</script>", "acknowledged_by": "m.keller", "useful": 2,
                "noise": 0, "silenced": False, "inhibited": False,
            },
            {
                "id": 4, "series_kind": "all", "title": "Everything", "severity": "warning", "state": "firing",
                "fired_at": FIRED.isoformat(), "resolved_at": None, "negative": None, "expected": None,
                "top_story": None, "acknowledged_by": None, "useful": 0, "noise": 1, "silenced": True,
                "inhibited": False,
            },
        ],
        "series": [
            {"kind": "topic", "title": "Energy", "negative": 12, "stories": 40, "negative_before": 3, "stories_before": 30}
        ],
        "totals": {"stories": 1204, "articles": 3100, "feeds": 41, "labels_waiting": 1, "feeds_in_trouble": []},
    }  # fmt: skip
    told = digest_message(envelope("digest"), figures, LINKS, LINKS.desk_url)
    assert told.subject == "Day to Tue 15 Sep: 2 alerts, 1 critical"
    assert "1,204 stories from 3,100 articles of 41 feeds; 1 article to label" in told.text
    assert "over after 6 h · acknowledged by m.keller · 2 × useful" in " ".join(told.text.split())
    assert "Warning: Market-wide" in told.text
    assert "still open · silenced · 1 × noise" in told.text
    assert "12 of 40" in told.text
    assert "<script>" not in told.html
    assert digest_message(envelope("digest"), {}, LINKS, LINKS.desk_url).subject == "Day: no alerts"
    assert "more on the desk" not in told.text + told.html + json.dumps(told.blocks)


def test_digest_of_many_alerts_says_how_many_it_leaves_out() -> None:
    row = {
        "series_kind": "company", "title": "Nordbank", "severity": "critical", "state": "firing",
        "fired_at": FIRED.isoformat(), "all_alerts": 1283, "all_critical": 61,
    }  # fmt: skip
    figures = {"end": "2026-09-15T05:00:00+00:00", "alerts": [{"id": n, **row} for n in range(50)]}
    told = digest_message(envelope("digest"), figures, LINKS, LINKS.desk_url)
    assert told.subject == "Day to Tue 15 Sep: 1,283 alerts, 61 critical"
    assert told.text.count("Critical: Nordbank") == 50
    assert "\nand 1,233 more on the desk\n" in told.text
    assert "and 1,233 more on the desk" in lxml_html.fromstring(told.html).text_content()
    assert json.dumps(told.blocks).count("Critical: Nordbank") == 12
    assert "and 1,271 more on the desk" in json.dumps(told.blocks)


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "story", "1 story"),
        (2, "story", "2 stories"),
        (2, "day", "2 days"),
        (1204, "article", "1,204 articles"),
    ],
)
def test_plurals(number: int, noun: str, said: str) -> None:
    assert phrases.count(number, noun) == said


def test_a_story_from_before_the_window_says_when_it_was_seen() -> None:
    evidence = payload("company_crisis")
    story = evidence["stories"][0]
    assert "seen " not in message("company_crisis").text
    story |= {"published_at": "2026-09-15T03:05:00+00:00", "first_seen_at": evidence["window_end"]}
    told = rendering.alert_message(envelope(), evidence, alert(evidence), LINKS)
    assert "05:05 · seen 16:15" in told.text
    assert "05:05 · seen 16:15" in told.html
    assert "05:05 · seen 16:15" in json.dumps(told.blocks, ensure_ascii=False)
