"""The digest: what a day or a week brought, for those who do not read every alert. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pipeline.notify import phrases
from pipeline.notify import slack_blocks as slack
from pipeline.notify.card import clean, moment, number
from pipeline.notify.message import Message, render
from pipeline.notify.routes import Digest
from pipeline.notify.view import Action, Envelope, LinkMaker

# A digest that nobody had yet and that fell due longer ago than this was configured since.
LATE = timedelta(hours=12)
# One that was told last longer ago than this was switched off meanwhile: it begins anew, and not with months at once.
# So does one whose last end is further ahead than this, which a wrong clock wrote.
LONGEST = timedelta(days=31)
# Lines of each list in Slack; mail has all that were read (digest_alerts.sql).
SLACK_LINES = 12


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert of the period in words."""

    tone: str
    state: str
    title: str
    what: str
    story: str
    url: str


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series: negative stories now and in the period before."""

    title: str
    kind: str
    negative: int
    stories: int
    before: int


def is_due(digest: Digest, as_of: datetime, told_until: datetime | None) -> datetime | None:
    """The time it fell due, when that is to be told now; its period ends there. `told_until`: where the last one ended.

    Whoever had it before gets it however late, after an outage over it; a new one is told when it falls due.
    """
    due = digest.last_due(as_of)
    if told_until is not None and abs(due - told_until) <= LONGEST:
        return due if due > told_until else None
    return due if as_of - due < LATE else None


def begin(digest: Digest, end: datetime, told_until: datetime | None) -> datetime:
    """Where the period that ends at `end` begins: where the last one ended, if due times were missed since."""
    start = digest.start_of(end)
    return min(start, told_until) if told_until is not None and abs(end - told_until) <= LONGEST else start


def digest_payload(
    digest: Digest, due: datetime, figures: Mapping[str, Any], told_until: datetime | None = None
) -> dict[str, Any]:
    """What the outbox keeps: the figures of [begin, due)."""
    return {
        "name": digest.name,
        "every": digest.every,
        "start": begin(digest, due, told_until).isoformat(),
        "end": due.isoformat(),
        **figures,
    }


def digest_message(
    envelope: Envelope, payload: Mapping[str, Any], links: LinkMaker, desk_url: str
) -> Message:
    """The digest as a message."""
    rows = payload.get("alerts") or []
    alerts = [_alert(a, envelope.zone, links) for a in rows]
    total, critical = _counts(rows)
    series = [_series(s) for s in payload.get("series") or []]
    subject = _subject(payload, total, critical, envelope.zone)
    totals = _totals(payload.get("totals") or {})
    view = {
        "subject": subject,
        "period": phrases.span(moment(payload.get("start")), moment(payload.get("end")), envelope.zone),
        "totals": totals,
        "alerts": alerts,
        "more_alerts": _more(total, len(alerts)),
        "series": series,
        "before": f"the {_period(payload).lower()} before",
        "trouble": [
            _trouble(f, envelope.zone) for f in (payload.get("totals") or {}).get("feeds_in_trouble") or []
        ],
        "desk": Action("Open the desk", desk_url),
        "envelope": envelope,
    }
    return Message(
        key=envelope.key,
        kind="digest",
        tone="note",
        subject=subject,
        summary=subject,
        text=render("digest.txt.j2", **view),
        html=render("digest.html.j2", **view),
        blocks=_blocks(subject, totals, alerts, total, series, desk_url),
        zone=envelope.zone,
        sent_at=envelope.sent_at,
    )


def _counts(rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Alerts of the period and critical ones among them: the rows are the worst of them, and each carries both numbers.

    What was written to the outbox before rows did has all of its rows.
    """
    critical = sum(1 for row in rows if row.get("severity") == "critical")
    first = rows[0] if rows else {}
    return int(first.get("all_alerts") or len(rows)), int(first.get("all_critical") or critical)


def _more(total: int, told: int) -> str:
    return f"{total - told:,} more on the desk" if total > told else ""


def _period(payload: Mapping[str, Any]) -> str:
    """Day or Week, or how many days where due times were missed."""
    start, end = moment(payload.get("start")), moment(payload.get("end"))
    usual = 7 if payload.get("every") == "week" else 1
    days = max(1, round((end - start) / timedelta(days=1))) if start and end else usual
    return {1: "Day", 7: "Week"}.get(days, f"{days} days")


def _subject(payload: Mapping[str, Any], total: int, critical: int, zone: tzinfo) -> str:
    end = moment(payload.get("end"))
    of = f" to {phrases.day(end.astimezone(zone))}" if end else ""
    told = phrases.count(total, "alert") if total else "no alerts"
    return f"{_period(payload)}{of}: {told}" + (f", {critical:,} critical" if critical else "")


def _totals(totals: Mapping[str, Any]) -> str:
    parts = [
        phrases.count(int(totals.get("stories") or 0), "story"),
        f"from {phrases.count(int(totals.get('articles') or 0), 'article')}",
        f"of {phrases.count(int(totals.get('feeds') or 0), 'feed')}",
    ]
    waiting = int(totals.get("labels_waiting") or 0)
    return " ".join(parts) + (f"; {phrases.count(waiting, 'article')} to label" if waiting else "")


def _alert(row: Mapping[str, Any], zone: tzinfo, links: LinkMaker) -> AlertLine:
    resolved = row.get("state") == "resolved"
    severity = str(row.get("severity") or "warning")
    fired, ended = moment(row.get("fired_at")), moment(row.get("resolved_at"))
    parts = [phrases.clock(fired, zone)] if fired else []
    negative, expected = number(row.get("negative")), number(row.get("expected"))
    if negative is not None and expected is not None:
        parts.append(f"{phrases.count(int(negative), 'negative story')}, {phrases.level(expected)} expected")
    parts.append(f"over after {phrases.duration(ended - fired)}" if fired and ended else "still open")
    parts += _fate(row)
    return AlertLine(
        tone=severity,
        state=severity.capitalize() + (", resolved" if resolved else ""),
        title="Market-wide" if row.get("series_kind") == "all" else clean(row.get("title"), 80),
        what=" · ".join(parts),
        story=clean(row.get("top_story"), 120),
        url=links.alert(int(row["id"])),
    )


def _fate(row: Mapping[str, Any]) -> list[str]:
    said = [
        f"acknowledged by {clean(row.get('acknowledged_by'), 60)}" if row.get("acknowledged_by") else "",
        "silenced" if row.get("silenced") else "",
        "told with another alert" if row.get("inhibited") else "",
        f"{row['useful']} × useful" if row.get("useful") else "",
        f"{row['noise']} × noise" if row.get("noise") else "",
    ]
    return [text for text in said if text]


def _series(row: Mapping[str, Any]) -> SeriesLine:
    return SeriesLine(
        clean(row.get("title"), 60),
        clean(row.get("kind"), 20),
        int(row.get("negative") or 0),
        int(row.get("stories") or 0),
        int(row.get("negative_before") or 0),
    )


def _trouble(feed: Mapping[str, Any], zone: tzinfo) -> str:
    since = moment(feed.get("since"))
    status = clean(feed.get("status"), 30).replace("_", " ")
    return f"{clean(feed.get('name'), 60)}: {status}" + (
        f" since {phrases.clock(since, zone)}" if since else ""
    )


def _blocks(
    subject: str,
    totals: str,
    alerts: Sequence[AlertLine],
    total: int,
    series: Sequence[SeriesLine],
    desk_url: str,
) -> tuple[slack.Block, ...]:
    blocks = [
        slack.header(f"{slack.MARKS['note']} {subject}"),
        slack.rich(slack.section(slack.plain(totals))),
    ]
    if alerts:
        items = [
            slack.section(slack.link(f"{a.state}: {a.title}", a.url), slack.plain(f"\n{a.what}"))
            for a in alerts[:SLACK_LINES]
        ]
        more = _more(total, len(items))
        rest = [slack.section(slack.plain(f"and {more}"))] if more else []
        blocks.append(slack.rich(slack.listing(items), *rest))
    if series:
        rows = [
            slack.section(slack.plain(f"{s.title}: {s.negative} negative, {s.before} before"))
            for s in series[:SLACK_LINES]
        ]
        blocks.append(slack.rich(slack.section(slack.bold("Most negative")), slack.listing(rows)))
    return (*blocks, slack.rich(slack.section(slack.link("Open the desk", desk_url))))
