"""Who is told and when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.notify.digest import digest_payload
from pipeline.notify.routes import (
    Delivery,
    Digest,
    Hours,
    QuietHours,
    Receiver,
    Route,
    Routing,
    always_quiet,
    audience,
    ranges,
    route,
    send_after,
    uncovered,
)

ZURICH = ZoneInfo("Europe/Zurich")
MONDAY = datetime(2026, 9, 14, 10, 0, tzinfo=UTC)
NIGHT = QuietHours(Hours(time(22), time(7), zone=ZURICH))
WEEKEND = QuietHours(Hours(weekdays=frozenset({5, 6}), zone=ZURICH), critical_passes=False)


def receivers(*names: str) -> dict[str, Receiver]:
    return {name: Receiver(name, "email", (f"{name}@example.org",)) for name in names}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZURICH)


def test_every_matching_route_adds_its_receivers_once() -> None:
    routing = Routing(
        receivers("desk", "risk", "oil"),
        (
            Route("all", ("desk",)),
            Route("critical", ("risk", "desk"), severity="critical"),
            Route("energy", ("oil",), kinds=frozenset({"topic"}), keys=("energy*",)),
        ),
    )
    told = lambda kind, key, severity: [d.receiver for d in route(routing, kind, key, severity, MONDAY)]  # noqa: E731
    assert told("company", "Nordbank", "warning") == ["desk"]
    assert told("company", "Nordbank", "critical") == ["desk", "risk"]
    assert told("topic", "Energy policy", "warning") == ["desk", "oil"]
    assert told("company", "energy", "warning") == ["desk"]


def test_those_who_were_told_hear_how_it_goes_on() -> None:
    routing = Routing(
        receivers("desk", "night"), (Route("office", ("desk",), hours=Hours(time(9), time(17))),)
    )
    late = datetime(2026, 9, 14, 23, tzinfo=UTC)
    assert route(routing, "all", "all", "critical", late) == []
    assert route(routing, "all", "all", "critical", late, told={"night", "gone"}) == [Delivery("night", late)]
    assert route(routing, "all", "all", "warning", MONDAY, told=set(), resolved=True) == []
    assert route(routing, "all", "all", "warning", MONDAY, told={"desk"}, resolved=True) == [
        Delivery("desk", MONDAY)
    ]


@pytest.mark.parametrize(
    ("when", "severity", "resolved", "sent"),
    [
        ("2026-09-14 21:59", "warning", False, "2026-09-14 21:59"),
        ("2026-09-14 22:00", "warning", False, "2026-09-15 07:00"),
        ("2026-09-15 03:00", "warning", False, "2026-09-15 07:00"),
        ("2026-09-15 03:00", "critical", False, "2026-09-15 03:00"),
        ("2026-09-15 03:00", "critical", True, "2026-09-15 07:00"),
        ("2026-09-15 07:00", "warning", False, "2026-09-15 07:00"),
        # Friday night runs into the weekend, the weekend into Sunday night
        ("2026-09-18 23:00", "warning", False, "2026-09-21 07:00"),
        # on the weekend not even a critical one passes; the night after it does
        ("2026-09-19 12:00", "critical", False, "2026-09-21 00:00"),
        # the clock goes back an hour on 25 October: still seven in the morning there
        ("2026-10-24 23:30", "warning", False, "2026-10-26 07:00"),
    ],
)
def test_quiet_hours_put_off(when: str, severity: str, resolved: bool, sent: str) -> None:
    routing = Routing(receivers("desk"), (Route("all", ("desk",)),), (NIGHT, WEEKEND))
    [delivery] = route(
        routing,
        "topic",
        "energy",
        severity,
        at(when),
        told=("desk",),
        resolved=resolved,  # type: ignore[arg-type]
    )
    assert delivery.not_before_at == at(sent)


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = Hours(time(22), time(7), frozenset({4}), ZURICH)
    assert friday_night.contain(at("2026-09-18 22:00"))
    assert friday_night.contain(at("2026-09-19 03:00"))
    assert not friday_night.contain(at("2026-09-18 03:00")), "that night began on Thursday"
    assert not friday_night.contain(at("2026-09-19 23:00"))


def test_a_pager_knows_no_quiet_hours() -> None:
    pager = Receiver("pager", "apprise", url_setting="pager", keeps_quiet_hours=False)
    routing = Routing({"pager": pager}, quiet_hours=(NIGHT,))
    assert send_after(routing, pager, at("2026-09-15 03:00")) == at("2026-09-15 03:00")


hours = st.builds(
    Hours,
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.sampled_from([UTC, ZURICH, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
)
moments = st.integers(0, 365 * 24 * 60).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.builds(QuietHours, hours), max_size=3), moments, st.booleans())
def test_quiet_hours_never_drop_and_never_send_inside(
    quiet: list[QuietHours], as_of: datetime, urgent: bool
) -> None:
    if always_quiet(quiet):
        return
    routing = Routing(receivers("desk"), quiet_hours=tuple(quiet))
    sent = send_after(routing, routing.receivers["desk"], as_of, urgent=urgent)
    # a local hour that the clock skips may add one more day
    assert as_of <= sent <= as_of + timedelta(days=8)
    if not urgent:
        assert not any(q.hours.contain(sent) for q in quiet)


def test_whole_week_quiet_is_seen() -> None:
    assert always_quiet([QuietHours(Hours())])
    assert not always_quiet([])
    assert not always_quiet([NIGHT, WEEKEND])


def test_hours_in_which_nobody_would_be_told() -> None:
    office = Hours(time(8), time(18), frozenset(range(5)))
    routing = Routing(receivers("desk"), (Route("office", ("desk",), hours=office),))
    gaps = list(ranges(uncovered(routing, "company", MONDAY)))
    assert gaps[0] == (datetime(2026, 9, 14, 18, tzinfo=UTC), datetime(2026, 9, 15, 8, tzinfo=UTC))
    assert any(end - start == timedelta(hours=62) for start, end in gaps)
    saturday = MONDAY + timedelta(days=5)
    inside = list(ranges(uncovered(routing, "company", saturday)))
    assert (datetime(2026, 9, 25, 18, tzinfo=UTC), datetime(2026, 9, 28, 8, tzinfo=UTC)) == inside[-1]
    assert len(inside) == len(gaps) == 5
    everything = Routing(receivers("desk"), (Route("all", ("desk",)),))
    assert uncovered(everything, "company", MONDAY) == []
    hour = timedelta(hours=1)
    apart = [MONDAY, MONDAY + 2 * hour, MONDAY + 3 * hour]
    assert list(ranges(apart)) == [(MONDAY, MONDAY + hour), (MONDAY + 2 * hour, MONDAY + 4 * hour)]
    only_one = Routing(receivers("desk"), (Route("one", ("desk",), keys=("Nordbank",)),))
    assert len(uncovered(only_one, "company", MONDAY)) == 168


def test_audience_of_a_silence_is_whoever_could_be_told() -> None:
    routing = Routing(
        receivers("desk", "oil", "risk"),
        (
            Route(
                "oil", ("oil",), kinds=frozenset({"topic"}), keys=("energy",), hours=Hours(time(9), time(10))
            ),
            Route("risk", ("risk",), severity="critical"),
        ),
    )
    assert [r.name for r in audience(routing, "topic", "energy")] == ["oil", "risk"]
    assert [r.name for r in audience(routing, "company", "Nordbank")] == ["risk"]
    assert [r.name for r in audience(routing, None, None)] == ["oil", "risk"]
    companies = Routing(receivers("desk"), (Route("companies", ("desk",), kinds=frozenset({"company"})),))
    assert audience(companies, "topic", "energy") == []
    assert [r.name for r in audience(companies, "company", "Nordbank")] == ["desk"]


def test_digest_falls_due_at_its_local_time() -> None:
    daily = Digest("day", "day", ("desk",), time(7), zone=ZURICH)
    weekly = Digest("week", "week", ("desk",), time(7), weekday=4, zone=ZURICH)
    now = at("2026-09-14 06:59")
    assert daily.last_due(now) == at("2026-09-13 07:00")
    assert daily.last_due(now + timedelta(minutes=1)) == at("2026-09-14 07:00")
    assert weekly.last_due(now) == at("2026-09-11 07:00")


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York", "America/Nuuk", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("local", [time(0), time(2, 30), time(7), time(23, 30)])
@pytest.mark.parametrize("every", ["day", "week"])
def test_digests_leave_no_hour_out_and_tell_none_twice(every: str, local: time, zone: str) -> None:
    digest = Digest("d", every, ("desk",), local, weekday=5, zone=ZoneInfo(zone))  # type: ignore[arg-type]
    hours = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=6 * n) for n in range(365 * 4))
    dues = sorted({digest.last_due(hour) for hour in hours})
    assert len(dues) >= (365 if every == "day" else 52)
    assert [digest.start_of(due) for due in dues[1:]] == dues[:-1]


def test_a_digest_over_the_change_of_the_clock_is_an_hour_longer_or_shorter() -> None:
    daily = Digest("day", "day", ("desk",), time(7), zone=ZURICH)
    weekly = Digest("week", "week", ("desk",), time(7), weekday=0, zone=ZURICH)
    autumn, spring = datetime(2026, 10, 25, 6, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert daily.start_of(autumn) == datetime(2026, 10, 24, 5, tzinfo=UTC)
    assert daily.start_of(spring) == datetime(2026, 3, 28, 6, tzinfo=UTC)
    assert weekly.start_of(autumn + timedelta(days=1)) == datetime(2026, 10, 19, 5, tzinfo=UTC)
    # looked at beforehand, at noon
    assert daily.start_of(autumn + timedelta(hours=5)) == datetime(2026, 10, 24, 10, tzinfo=UTC)
    assert digest_payload(daily, autumn, {})["start"] == "2026-10-24T05:00:00+00:00"
