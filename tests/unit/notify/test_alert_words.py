"""The words that made the stories of an alert bad news: which are shown, and how they are marked."""

from __future__ import annotations

from lxml import html as lxml_html
from notify_examples import message, payload

from pipeline.notify.words import MOST_WORDS, mark, weighty


def test_only_what_pulled_towards_negative_and_pulled_hard_is_shown() -> None:
    pulls = [
        ("wins", 0.4),
        ("probe", -0.5),
        (",", -0.4),
        ("into", -0.05),
        ("61", -0.5),
        ("it", -0.5),
        ("fraud", -0.2),
        ("probe", -0.5),
    ]
    assert weighty(pulls) == ["probe", "fraud"]
    assert weighty([("record", 0.3), ("profit", 0.2)]) == []
    assert weighty([("selloff", -0.01)]) == []
    assert len(weighty([(f"bad{n}", -0.5) for n in range(20)])) == MOST_WORDS


def test_marks_cover_whole_words_and_lose_nothing() -> None:
    text = "Probe: probes of a re-probe, probe (probe)"
    parts = mark(text, ["probe", "re-probe"])
    assert "".join(part for part, _ in parts) == text
    assert [part for part, weighs in parts if weighs] == ["re-probe", "probe", "probe"]
    assert mark(text, []) == ((text, False),)
    assert [p for p, weighs in mark("a.b (c", ["(c", "a.b"]) if weighs] == ["a.b", "(c"]


def test_the_message_shows_them_everywhere() -> None:
    story = payload("company_crisis")["stories"][0]
    told = message("company_crisis", words={story["story_id"]: ["probe", "loans"]})
    page = lxml_html.fromstring(told.html)
    assert [e.text for e in page.find_class("weighs")][:2] == ["probe", "loans"]
    assert "words that weighed: probe, loans" in told.text
    assert "words that weighed: probe, loans" in str(told.blocks)
    assert "weighed" not in message("company_crisis").text


def test_hostile_words_stay_text() -> None:
    story = payload("hostile")["stories"][0]
    told = message("hostile", words={story["story_id"]: ["<img src=x onerror=alert(1)>", "x\r\nSubject: y"]})
    page = lxml_html.fromstring(told.html)
    assert [image.get("src") for image in page.iter("img")] == ["cid:chart"]
    assert not any(line.startswith("Subject:") for line in told.text.splitlines())
