"""How the desk writes; nothing that a feed wrote becomes markup or a formula."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.desk.exports import cell, csv_lines
from pipeline.desk.words import ago, duration, index, marked, number, percent, probability, who_has_it

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (number(1234567), "1\u202f234\u202f567"),
        (number(-3.25, 1), "\u22123.2"),
        (number(None), "\u2013"),
        (index(0.126), "+0.13"),
        (index(-0.5), "\u22120.50"),
        (index(-0.001), "+0.00"),
        (percent(0.123, 1), "12.3\u202f%"),
        (probability(0.2), "0.20"),
        (probability(1 / 77000), "1 in 77\u202f000"),
        (duration(timedelta(minutes=135)), "2 h 15 min"),
        (duration(timedelta(days=3, hours=4)), "3 d 4 h"),
        (ago(NOON - timedelta(minutes=5), NOON), "5 min ago"),
        (ago(NOON + timedelta(minutes=5), NOON), "in 5 min"),
        (ago(None, NOON), "never"),
    ],
)
def test_words(made: str, expected: str) -> None:
    assert made == expected


def test_mentions_are_marked_and_everything_else_escaped() -> None:
    text = "<b>Acme</b> sues Bolt & Co"
    companies = [
        {"name": '"Acme"', "sentiment": "positive", "spans": [[3, 7]]},
        {"name": "Bolt", "sentiment": "negative", "spans": [[17, 21], [20, 22], [90, 95], "x"]},
    ]
    assert marked(text, companies) == (
        '&lt;b&gt;<mark class="positive" title="&#34;Acme&#34;">Acme</mark>&lt;/b&gt; sues '
        '<mark class="negative" title="Bolt">Bolt</mark> &amp; Co'
    )


@given(
    st.text(), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=6), st.integers(0, 20)
)
def test_marking_loses_no_letter(text: str, spans: list[tuple[int, int]], start: int) -> None:
    companies = [{"name": "x", "sentiment": "neutral", "spans": [list(span) for span in spans]}]
    assert marked(text, companies, start).striptags() == marked(text, [], start).striptags()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_formulas_become_text(text: str) -> None:
    assert cell(text) == "'" + text
    assert cell([text, "x"]).startswith("'")


def test_numbers_stay_numbers() -> None:
    lines = "".join(csv_lines(["a", "b", "c"], [[(-1.5, NOON, ["x", "y"])]]))
    assert lines == "a,b,c\r\n-1.5,2026-03-10T12:00:00+00:00,x; y\r\n"


@pytest.mark.parametrize(
    ("state", "taken_by", "expected"),
    [
        ("firing", "anna", "You have taken this alert."),
        ("held", "ben", "ben has taken this alert already."),
        ("firing", None, "Nobody has taken this alert yet."),
        ("resolved", "anna", "This alert is over; you had taken it."),
        ("resolved", "ben", "This alert is over; ben had taken it."),
        ("resolved", None, "This alert is over; nobody needs to take it."),
    ],
)
def test_who_has_an_alert_is_who_took_it(state: str, taken_by: str | None, expected: str) -> None:
    assert who_has_it(state, taken_by, "anna") == expected
