"""Follows the alerts of one tick in the database and writes what is to be told, in the transaction of the tick."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pipeline.detect.alerts import (
    Change,
    Circumstances,
    Episode,
    as_opening,
    as_unbroken,
    from_memory,
    in_doubt,
    may_tell,
    to_memory,
)
from pipeline.detect.cards import Cards
from pipeline.detect.context import Followed, TickContext
from pipeline.detect.cover import Shared, Standing, covering_alerts, extends_cover
from pipeline.detect.tick import follow, market_wide
from pipeline.notify.routes import route
from pipeline.store import alerts, notifications
from pipeline.store.engine import Connection
from pipeline.types import Severity


def follow_alerts(connection: Connection, at: TickContext) -> Followed:
    """Brings every episode one tick further, in the order in which one alert stands for another."""
    index = at.scene.index
    longest = timedelta(hours=max((r.reopen_hours for r in at.scene.crowd.rules), default=0.0))
    stored = {
        index[e.series_id]: e
        for e in alerts.read_episodes(connection, at.tick_at - longest)
        if e.series_id in index
    }
    episodes = {i: from_memory(e.memory) for i, e in stored.items() if e.memory}
    moved = follow(at.findings, at.scene.crowd, episodes, at.tick_at)
    done = Followed(
        states={i: e.state for i, e in episodes.items() if e.open},
        alert_ids={i: e.id for i, e in stored.items() if i in episodes},
    )
    teller = _Teller(connection, at, stored, done)
    order = sorted(moved, key=lambda i: _rank(at, i))
    goes_on = {i for i, (episode, changes) in moved.items() if episode.state == "firing" and not changes}
    for i in order:
        episode, changes = moved[i]
        teller.move(i, episode, changes)
        if i in goes_on:
            # among the openings: a company whose doubt passes comes before a topic that opens over it
            teller.show_after_doubt(i, episode)
            teller.widen(i, episode)
        done.states.pop(i, None)
        if episode.open:
            done.states[i] = episode.state
    for i in order:
        if i in goes_on:
            teller.look_again(i, moved[i][0])
    return done


def _rank(at: TickContext, i: int) -> tuple[int, float, int, int]:
    """Who is told first and so stands for the others: a bad market, then companies and sectors by how many stories
    they have, then topics, then everything. A sector comes before its companies unless one of them is all of it."""
    kind = at.scene.series[i].kind
    if kind == "all":
        return (-1 if market_wide(at.findings, at.scene.crowd) else 2), 0.0, 0, i
    return int(kind == "topic"), -float(at.findings.negative[i, 0]), int(kind == "sector"), i


class _Teller:
    """Writes the changes of one tick. It remembers what people know of, because that stands for later alerts."""

    def __init__(
        self, connection: Connection, at: TickContext, stored: dict[int, alerts.StoredEpisode], done: Followed
    ) -> None:
        self.connection = connection
        self.at = at
        self.stored = stored
        self.done = done
        self.cards = Cards(connection, at)
        self.silences = alerts.active_silences(connection, at.tick_at)
        self.standing = {
            i: known
            for i, e in stored.items()
            if e.memory.get("state") in ("firing", "held") and (known := self._known(i, e))
        }
        self.market_alert = next(
            (e.id for i, e in stored.items() if e.cause == "market_wide" and e.told and i in self.standing),
            None,
        )

    def _known(self, i: int, stored: alerts.StoredEpisode) -> Standing | None:
        """What people know of an open alert: that it was told, or that another one stands for it."""
        kind, severity = self.at.scene.series[i].kind, stored.memory.get("severity", "warning")
        told_by = stored.id if stored.told else stored.inhibited_by if extends_cover(kind) else None
        if told_by is None or stored.shown_at is None:
            return None
        return Standing(stored.series_id, kind, told_by, severity, stored.shown_at)

    def move(self, i: int, episode: Episode, changes: tuple[Change, ...]) -> None:
        """Writes what the tick made of one series' episode: its alert, begun where there is none, and each change."""
        stored = self.stored.get(i)
        if stored is not None and not stored.told:
            episode, changes = as_opening(episode, changes)
        # what was to say that it is over is not true any more
        if (
            stored is not None
            and any(c.kind == "reopen" for c in changes)
            and notifications.withdraw_resolves(self.connection, stored.id)
        ):
            episode = as_unbroken(episode)
        alert_id = self.done.alert_ids.get(i)
        begins = any(c.kind == "pending" for c in changes)
        if alert_id is None or begins:
            alert_id = alerts.insert_alert(
                self.connection,
                self.at.scene.series[i].id,
                episode.state,
                episode.severity,
                episode.pending_at,
                episode.peak,
                self.at.rules.version,
                self.at.champion.id,
            )
            self.stored.pop(i, None)
            self.done.alert_ids[i] = alert_id
        alerts.update_alert(self.connection, alert_id, to_memory(episode), self.at.tick_at)
        for change in changes:
            self._record(i, alert_id, change)

    def _record(self, i: int, alert_id: int, change: Change) -> None:
        event_id = alerts.add_event(
            self.connection, alert_id, self.at.tick_at, change.kind, change.severity, self.cards.detail(i)
        )
        self.done.opened += change.kind == "open"
        self.done.risen += change.kind == "rise"
        self.done.resolved += change.kind == "resolve"
        if change.kind in ("open", "rise", "reopen"):
            self._show(i, alert_id, event_id, change)
        elif change.kind == "resolve":
            self._tell_end(i, alert_id, event_id, change)

    def look_again(self, i: int, episode: Episode) -> None:
        """An alert that another one stands for is told by itself once most of its stories are its own.

        It is told as the opening or rise that was held back, so nobody is told that twice.
        """
        stored = self.stored.get(i)
        if stored is None or stored.told or stored.inhibited_by is None or stored.shown_event_id is None:
            return
        # in doubt it stays where it is, or nobody would look at it again; the market's own was shown anew just now
        if self.market_alert in (stored.inhibited_by, stored.id) or self._in_doubt(i, episode):
            return
        change = Change("open", episode.severity, tell=True)
        if not self._covering(i, change.severity, self.cards.stories(i)):
            self._show(i, stored.id, stored.shown_event_id, change)

    def show_after_doubt(self, i: int, episode: Episode) -> None:
        """An alert that a doubtful cause or too short a history held back is shown anew once neither holds."""
        stored = self.stored.get(i)
        if stored is None or not stored.doubted or stored.shown_event_id is None:
            return
        # what is critical was told whatever the cause: where it was not, no route wanted it
        if episode.severity != "critical" and not self._in_doubt(i, episode):
            self._show(i, stored.id, stored.shown_event_id, Change("open", episode.severity, tell=True))

    def widen(self, i: int, episode: Episode) -> None:
        """Everything that fired by its own counts is shown anew once the whole market is worse than usual: a bad day
        that ramps up is one alert instead of many too. Not while people believe it resolved: they hear of the others.
        """
        stored = self.stored.get(i)
        if i != self.at.scene.crowd.whole or stored is None or stored.shown_event_id is None:
            return
        if stored.cause == "market_wide" or episode.silent:
            return
        if market_wide(self.at.findings, self.at.scene.crowd):
            self._show(i, stored.id, stored.shown_event_id, Change("open", episode.severity, tell=True))

    def _in_doubt(self, i: int, episode: Episode) -> bool:
        cause = self.cards.cause(i, self.cards.stories(i))
        return in_doubt(episode.severity, Circumstances(bool(self.at.scene.learning[i]), cause=cause))

    def _show(self, i: int, alert_id: int, event_id: int, change: Change) -> None:
        """Evidence of an opening, rise or reopening; told where nothing speaks against it."""
        series = self.at.scene.series[i]
        stories = self.cards.stories(i)
        cause = self.cards.cause(i, stories)
        silenced = any(s.covers(series.kind, series.key, self.at.tick_at) for s in self.silences)
        under_market = self.market_alert is not None and cause != "market_wide"
        evidence = self.cards.evidence(i, change, stories, cause)
        deliveries = []
        inhibited_by = self.market_alert if under_market else None
        around = Circumstances(bool(self.at.scene.learning[i]), silenced, cause, under_market)
        tell = change.tell and may_tell(change.severity, around)
        if around.learning and not tell:
            evidence["learning"] = True
        if tell:
            told = notifications.told_receivers(self.connection, alert_id)
            deliveries = route(
                self.at.rules.routing, series.kind, series.key, change.severity, self.at.as_of, told=told
            )
            # the whole market is told by itself, or nothing would stand for its series
            by = [] if told or cause == "market_wide" else self._covering(i, change.severity, stories)
            inhibited_by = by[0] if by else None
            known = {r for a in by for r in notifications.told_receivers(self.connection, a)}
            deliveries = [d for d in deliveries if d.receiver not in known or d.receiver in told]
        written = self._write(alert_id, event_id, change, deliveries, evidence)
        if written or (tell and inhibited_by is None):
            self._stand(i, alert_id, change)
        elif inhibited_by is not None and extends_cover(series.kind):
            self._stand(i, inhibited_by, change)
        elif change.kind == "reopen" and self.stored[i].told:
            self._stand_again(i)
        if cause == "market_wide" and i in self.standing:
            self.market_alert = alert_id
        alerts.set_circumstances(
            self.connection,
            alert_id,
            told=bool(written),
            silenced=silenced,
            cause=cause,
            inhibited_by=inhibited_by,
            evidence=evidence,
        )

    def _stand(self, i: int, told_by: int, change: Change) -> None:
        series = self.at.scene.series[i]
        self.standing[i] = Standing(series.id, series.kind, told_by, change.severity, self.at.tick_at)

    def _stand_again(self, i: int) -> None:
        """A told alert that reopens silently stands for others at once, or one of them would tell its return instead."""
        if known := self._known(i, self.stored[i]):
            self.standing[i] = known

    def _tell_end(self, i: int, alert_id: int, event_id: int, change: Change) -> None:
        series = self.at.scene.series[i]
        evidence = self.cards.evidence_at_height(i, change, self.stored[i])
        alerts.set_height(self.connection, alert_id, evidence)
        # a silence spares people news; those who were told of the alert wait for its end
        told = notifications.told_receivers(self.connection, alert_id)
        if change.tell and told:
            deliveries = route(
                self.at.rules.routing,
                series.kind,
                series.key,
                change.severity,
                self.at.as_of,
                told=told,
                resolved=True,
            )
            self._write(alert_id, event_id, change, deliveries, evidence)
        self.standing.pop(i, None)

    def _write(
        self,
        alert_id: int,
        event_id: int,
        change: Change,
        deliveries: Sequence[Any],
        evidence: dict[str, Any],
    ) -> int:
        if not deliveries:
            return 0
        written = notifications.write_outbox(
            self.connection,
            alert_id,
            event_id,
            "open" if change.kind == "reopen" else change.kind,  # type: ignore[arg-type]  # no other kind is told
            deliveries,
            evidence,
            self.at.as_of,
        )
        self.done.messages += written
        return written

    def _covering(self, i: int, severity: Severity, stories: Sequence[dict[str, Any]]) -> list[int]:
        """Alerts that told most of the negative stories of this one before."""
        bad = [s["story_id"] for s in stories if s["sentiment"] == "negative"]
        others = [known for j, known in self.standing.items() if j != i]
        if not bad or not others:
            return []
        rows = alerts.read_shared(self.connection, bad, [other.series_id for other in others])
        kind = self.at.scene.series[i].kind
        return covering_alerts(kind, severity, bad, others, [Shared(*row) for row in rows])
