"""The date table: right, or none with a reason; never a wrong instant in silence."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.dates import ParsedDate, _read, _read_usual, end_of_day, parse_date

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CASES = [
    line.split("\t")
    for line in (Path(__file__).parents[2] / "data/dates.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("raw", "default_tz", "expected", "tz_source"), CASES)
def test_table(raw: str, default_tz: str, expected: str, tz_source: str) -> None:
    parsed = parse_date(raw, None if default_tz == "-" else default_tz, NOW)
    if expected[0].isdigit():
        assert (parsed.at, parsed.status) == (datetime.fromisoformat(expected), "ok")
    else:
        assert (parsed.at, parsed.status) == (None, expected)
    assert parsed.tz_source == tz_source


def test_absent_is_missing_not_now() -> None:
    assert parse_date(None, None, NOW).status == "missing"
    assert parse_date("  ", "UTC", NOW).status == "missing"


@pytest.mark.parametrize(
    ("raw", "is_midnight"),
    [
        ("Fri, 20 Nov 2026 00:00:00 GMT", True),
        ("2026-11-20T00:00:00-05:00", True),
        ("Nov 20, 2026 12:00 AM UTC", True),
        ("1794963600", False),
        ("1795132800", True),
        ("Fri, 20 Nov 2026 00:00:01 GMT", False),
        ("2026-11-20T05:00:00Z", False),
        ("2026-11-20", False),
    ],
)
def test_midnight_is_told_as_it_was_written(raw: str, is_midnight: bool) -> None:
    assert parse_date(raw, None, NOW).is_midnight == is_midnight


def test_a_day_without_an_hour_ends_at_its_last_second() -> None:
    assert end_of_day("2026-11-20", None) == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    assert end_of_day("Nov 20, 2026", "America/New_York") == datetime(2026, 11, 21, 4, 59, 59, tzinfo=UTC)
    assert end_of_day("soon", None) is None


_FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "2026",
            "11",
            "23",
            "-",
            "/",
            ":",
            "T",
            " ",
            "Nov",
            "Mon,",
            "10:00:00",
            "+0530",
            "+9900",
            "EST",
            "99999",
            "W48",
        ]
    )
    | st.text(max_size=4),
    max_size=10,
).map("".join)


@settings(deadline=None, max_examples=60)
@given(_FRAGMENTS | st.text(max_size=60), st.sampled_from([None, "America/New_York", "Asia/Shanghai"]))
def test_any_string_gives_none_or_an_aware_instant_in_range(raw: str, default_tz: str | None) -> None:
    parsed = parse_date(raw, default_tz, NOW)
    assert (parsed.at is None) == (parsed.status != "ok")
    if parsed.at is not None:
        assert parsed.at.utcoffset() == timedelta(0)
        assert datetime(1990, 1, 1, tzinfo=UTC) <= parsed.at <= NOW + timedelta(days=2)


@given(
    moment=st.datetimes(datetime(1989, 1, 1), datetime(2031, 1, 1)),  # noqa: DTZ001 - hypothesis wants naive bounds
    form=st.sampled_from(["%a, %d %b %Y %H:%M:%S", "%d %b %Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]),
    zone=st.sampled_from(
        ["GMT", " UTC", "Z", " -0530", "+05:30", "-1400", "+14:01", "+0060", " +1500", "EST", ""]
    ),
    second=st.sampled_from([None, ":60", ":61"]),
)
@settings(max_examples=300, deadline=None)
def test_the_usual_forms_mean_what_the_table_says(
    moment: datetime, form: str, zone: str, second: str | None
) -> None:
    value = moment.strftime(form)
    value = f"{value[:-3]}{second}{zone}" if second else f"{value}{zone}"
    usual = _read_usual(value)
    if usual:
        assert usual == _read(value, None)


def test_the_usual_forms_are_recognised() -> None:
    for value in ("Mon, 23 Nov 2026 10:00:00 GMT", "2026-11-23T10:00:00Z", "23 Nov 2026 05:00:00 -0500"):
        assert _read_usual(value) == ParsedDate(datetime(2026, 11, 23, 10, tzinfo=UTC), "ok", "offset")
    for value in ("Mon, 32 Nov 2026 10:00:00 GMT", "2026-11-23T24:00:00Z", "2026-11-23T10:00:60Z"):
        assert _read_usual(value) is None
