"""Which alert stands for which."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline.detect.cover import STILL_TOLD, Shared, Standing, covering_alerts

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
BANKS = Standing(series_id=1, kind="sector", told_by=100, severity="critical", told_at=AT)
STORIES = [1, 2, 3, 4]


def shared(*stories: int, series_id: int = 1, at: datetime = AT) -> list[Shared]:
    return [Shared(series_id, story, at) for story in stories]


def test_half_of_the_stories_told_before_is_enough() -> None:
    assert covering_alerts("sector", "critical", STORIES, [BANKS], shared(1, 2)) == [100]
    assert covering_alerts("sector", "critical", STORIES, [BANKS], shared(1)) == []
    assert covering_alerts("sector", "critical", STORIES, [], shared(1, 2)) == []


def test_several_together_tell_it_and_the_one_with_most_leads() -> None:
    drugs = replace(BANKS, series_id=2, told_by=150)
    told = shared(1) + shared(2, 3, series_id=2)
    assert covering_alerts("topic", "critical", [*STORIES, 5, 6], [BANKS, drugs], told) == [150, 100]


def test_what_was_folded_into_an_alert_covers_in_its_name() -> None:
    folded = replace(BANKS, series_id=2)
    told = shared(1) + shared(2, series_id=2)
    assert covering_alerts("topic", "critical", STORIES, [BANKS, folded], told) == [100]


def test_a_warning_does_not_stand_for_a_critical_alert() -> None:
    mild = replace(BANKS, severity="warning")
    assert covering_alerts("sector", "critical", STORIES, [mild], shared(*STORIES)) == []
    assert covering_alerts("sector", "warning", STORIES, [mild], shared(*STORIES)) == [100]


def test_the_next_company_of_a_told_sector_is_news() -> None:
    late = AT + STILL_TOLD
    assert covering_alerts("company", "critical", STORIES, [BANKS], shared(*STORIES, at=late)) == []
    soon = late - timedelta(seconds=1)
    assert covering_alerts("company", "critical", STORIES, [BANKS], shared(*STORIES, at=soon)) == [100]
    company = replace(BANKS, kind="company")  # and the sector of a told company never is
    assert covering_alerts("sector", "critical", STORIES, [company], shared(*STORIES, at=late)) == [100]
    # nor is another sector with the stories of a told one
    assert covering_alerts("sector", "critical", STORIES, [BANKS], shared(*STORIES, at=late)) == [100]
