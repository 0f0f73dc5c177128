"""What an alert shows at one tick: its stories, its cause and its figures, read and put together as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pipeline.detect.alerts import Cause, Change, from_memory
from pipeline.detect.context import TickContext
from pipeline.detect.evidence import (
    CHART_HOURS,
    Around,
    Figures,
    Reconsider,
    build_evidence,
    chart_points,
    name_cause,
    short,
)
from pipeline.detect.tick import market_wide, reconsider, window_hours
from pipeline.store import alerts
from pipeline.store.engine import Connection
from pipeline.store.spikes import read_height


class Cards:
    """Reads for the alerts of one tick; writes nothing."""

    def __init__(self, connection: Connection, at: TickContext) -> None:
        self.connection = connection
        self.at = at

    def stories(self, i: int) -> list[dict[str, Any]]:
        """The live stories in the window of the tick's finding."""
        return self._stories_before(i, self.at.tick_at, window_hours(self.at.findings, i))

    def _stories_before(self, i: int, end: datetime, hours: int) -> list[dict[str, Any]]:
        start = end - timedelta(hours=hours)
        return alerts.read_stories(self.connection, self.at.scene.series[i].id, start, end)

    def cause(self, i: int, stories: Sequence[dict[str, Any]]) -> Cause | None:
        """Why it may be no news, or that it is everybody's."""
        rule = self.at.scene.crowd.rules[i]
        oldest, number = alerts.read_feed_age(self.connection)
        whole = i == self.at.scene.crowd.whole
        around = Around(
            market=whole and market_wide(self.at.findings, self.at.scene.crowd),
            promoted=self.at.scene.model_version_id != self.at.champion.id,
            learning_since=self.at.tick_at - timedelta(days=rule.learn_days),
            oldest_feed_at=oldest,
            lone_feed=number <= 1,
        )
        return name_cause(stories, around)

    def evidence(
        self, i: int, change: Change, stories: Sequence[dict[str, Any]], cause: Cause | None
    ) -> dict[str, Any]:
        """Evidence of the tick."""
        scene, findings = self.at.scene, self.at.findings
        return self._card(
            i,
            change,
            self._figures(i),
            stories,
            cause,
            lambda k, m, copies: reconsider(findings, scene.baseline, scene.crowd, i, k, m, copies),
        )

    def evidence_at_height(self, i: int, change: Change, stored: alerts.StoredEpisode) -> dict[str, Any]:
        """Evidence for the end of an alert: of its highest tick, with the chart up to now."""
        begun = from_memory(stored.memory).pending_at
        height = read_height(self.connection, stored.series_id, begun, self.at.tick_at)
        cause: Any = stored.cause
        if height is None:
            return self.evidence(i, change, self.stories(i), cause)
        at, seen = height
        figures = replace(
            self._figures(i),
            tick_at=at,
            window_hours=seen.window_hours,
            negative=seen.negative,
            other=seen.other,
            expected=seen.expected,
            variance=seen.variance,
            p=seen.p,
            score=seen.score,
            market_factor=None,
        )
        return self._card(i, change, figures, self._stories_before(i, at, seen.window_hours), cause, None)

    def _card(
        self,
        i: int,
        change: Change,
        figures: Figures,
        stories: Sequence[dict[str, Any]],
        cause: Cause | None,
        again: Reconsider | None,
    ) -> dict[str, Any]:
        series, tick_at = self.at.scene.series[i], self.at.tick_at
        bad = [s["story_id"] for s in stories if s["sentiment"] == "negative"]
        chart_start = tick_at - timedelta(hours=CHART_HOURS + 1)
        chart = alerts.read_chart(self.connection, series.id, chart_start, tick_at)
        return build_evidence(
            series,
            change.severity,
            figures,
            stories,
            alerts.count_sources(self.connection, bad),
            alerts.read_carriers(self.connection, series.id, bad) if bad else [],
            chart_points(self.at.scene.baseline, i, tick_at - timedelta(seconds=1), chart),
            cause,
            again,
        )

    def _figures(self, i: int) -> Figures:
        scene, findings = self.at.scene, self.at.findings
        return Figures(
            self.at.tick_at,
            window_hours(findings, i),
            int(findings.negative[i, 0]),
            int(findings.other[i, 0]),
            int(findings.copies[i, 0]),
            float(findings.expected[i, 0]),
            float(findings.variance[i, 0]),
            float(findings.p[i, 0]),
            max(-1.0, float(findings.score[i, 0])),
            float(scene.baseline.share[i]),
            float(findings.market[0] if i == scene.crowd.whole else findings.factor[i, 0]),
            scene.baseline.as_of.date().isoformat(),
            self.at.rules.version,
            self.at.champion.version,
        )

    def detail(self, i: int) -> dict[str, Any]:
        """Figures of the moment, for the history."""
        findings = self.at.findings
        return {
            "window_hours": window_hours(findings, i),
            "negative": int(findings.negative[i, 0]),
            "other": int(findings.other[i, 0]),
            "expected": short(findings.expected[i, 0]),
            "score": max(-1.0, float(findings.score[i, 0])),
        }
