"""What is printed of an alert, in words, before it has a form: mail and Slack say the same. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from pipeline.notify import phrases
from pipeline.notify.card import Card, CardPoint, CardStory, ToldAlert, clean
from pipeline.notify.words import mark
from pipeline.types import FeedbackKind, NotificationKind

# Stories told in a message, and in one that says it is over; the desk has them all.
STORIES = 6
STORIES_RESOLVED = 3


class LinkMaker(Protocol):
    """Makes addresses on the desk."""

    def alert(self, alert_id: int) -> str: ...

    def feedback(
        self, alert_id: int, kind: FeedbackKind, receiver: str, made_at: datetime, story_id: int | None = None
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class Action:
    """A link that a reader may press."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class StoryView:
    """A story as told: `line` is its source, time, copies and verdict in words.

    `words` made it bad news; the marked title and quote are cut into parts, True for those words.
    """

    title: str
    url: str | None
    line: str
    quote: str
    actions: tuple[Action, ...] = ()
    words: str = ""
    marked_title: tuple[tuple[str, bool], ...] = ()
    marked_quote: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """What the templates and Slack blocks of an alert print."""

    subject: str
    state: str
    tone: str
    name: str
    what: str
    lead: str
    finding: str
    against: str
    facts: tuple[tuple[str, str], ...]
    cause: str
    robustness: str
    narrow: bool
    stories: tuple[StoryView, ...]
    more_stories: int
    timeline: tuple[str, ...]
    acknowledge: Action | None
    verdicts: tuple[Action, ...]
    desk: Action
    footer: str
    chart: tuple[CardPoint, ...]
    chart_caption: str
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Envelope:
    """What belongs to the receiver and the try, not to the evidence.

    Links are signed as of `made_at`, so that every try has the same; the mail is dated `sent_at`.
    """

    key: str
    kind: NotificationKind
    receiver: str
    zone: tzinfo
    made_at: datetime
    sent_at: datetime
    repeated: bool = False


def alert_view(envelope: Envelope, card: Card, alert: ToldAlert, links: LinkMaker) -> View:
    """Everything that is printed of an alert, in words."""
    kind = envelope.kind
    open_for = alert.resolved_at - alert.fired_at if alert.resolved_at and alert.fired_at else None
    resolved = kind == "resolve"
    taken = resolved or alert.acknowledged_by is not None
    say = _Say(links, alert, envelope)
    stories = card.stories[: STORIES_RESOLVED if resolved else STORIES]
    return View(
        subject=phrases.subject(kind, card, open_for, is_test=alert.is_test),
        state=phrases.state(kind, card.severity),
        tone="resolved" if resolved else card.severity,
        name=phrases.name(card),
        what="" if card.kind in ("all", "") else card.kind,
        lead=phrases.calm(open_for) if resolved else "",
        finding=phrases.finding(card),
        against=phrases.against(card),
        facts=tuple(phrases.facts(card, envelope.zone, [clean(t, 60) for t in alert.stands_for])),
        cause=phrases.TEST if alert.is_test else phrases.cause(card),
        robustness=phrases.robustness(card),
        narrow=phrases.is_narrow(card),
        stories=tuple(_story(s, card, envelope.zone, say) for s in stories),
        more_stories=max(0, card.negative - len(stories)) if stories else 0,
        timeline=_timeline(alert, envelope.zone),
        acknowledge=None if taken else say("Acknowledge", "acknowledge"),
        verdicts=(say("Useful", "useful"), say("Noise", "noise")),
        desk=Action("Open on the desk", links.alert(alert.id)),
        footer=_footer(card, envelope),
        chart=card.chart,
        chart_caption=_caption(card),
        zone=envelope.zone,
    )


@dataclass(frozen=True, slots=True)
class _Say:
    """Makes the links by which this receiver says something of this alert."""

    links: LinkMaker
    alert: ToldAlert
    envelope: Envelope

    def __call__(self, title: str, kind: FeedbackKind, story_id: int | None = None) -> Action:
        e = self.envelope
        return Action(title, self.links.feedback(self.alert.id, kind, e.receiver, e.made_at, story_id))


def _story(story: CardStory, card: Card, zone: tzinfo, say: _Say) -> StoryView:
    parts = [story.source]
    if story.published_at:
        parts.append(phrases.clock(story.published_at, zone, card.window_end))
    if seen := card.seen_late(story):
        parts.append(f"seen {phrases.clock(seen, zone, card.window_end)}")
    if story.copies > 1:
        parts.append(
            f"{phrases.count(story.copies, 'article')} from {phrases.count(story.sources, 'source')}"
        )
    if story.sentiment and story.probability is not None:
        parts.append(f"{story.sentiment}\u00a0{phrases.percent(story.probability)}")
    quote = story.quote if story.quote.rstrip("…") not in story.title else ""
    return StoryView(
        title=story.title,
        url=story.url,
        line=" · ".join(part for part in parts if part),
        quote=quote,
        actions=_corrections(story, card, say),
        words=", ".join(story.words),
        marked_title=mark(story.title, story.words),
        marked_quote=mark(quote, story.words),
    )


def _corrections(story: CardStory, card: Card, say: _Say) -> tuple[Action, ...]:
    if story.story_id is None:
        return ()
    wrong_company = (say("wrong company", "wrong_company", story.story_id),) if card.kind == "company" else ()
    return (
        say("not negative", "wrong_sentiment", story.story_id),
        *wrong_company,
        say("told before", "duplicate", story.story_id),
    )


def _timeline(alert: ToldAlert, zone: tzinfo) -> tuple[str, ...]:
    """The alert's history, worth telling once there is more than its opening."""
    told = [(e.at, phrases.event(e.kind, e.severity, clean(e.actor, 60))) for e in alert.events]
    known = [(at, text) for at, text in told if text]
    if len(known) < 2:
        return ()
    return tuple(f"{phrases.clock(at, zone)} {text}" for at, text in known)


def _caption(card: Card) -> str:
    if not card.chart:
        return ""
    top = max(card.chart, key=lambda point: point.negative)
    return f"Negative stories an hour; the band is what is usual, the most was {top.negative}."


def _footer(card: Card, envelope: Envelope) -> str:
    parts = [
        f"Rules {card.rule_version}" if card.rule_version else "",
        f"baseline of {card.baseline_date}" if card.baseline_date else "",
        f"model {card.model_version}" if card.model_version else "",
        f"sent to {envelope.receiver}",
        f"ref {envelope.key[:8]}" + (" (may be a repeat)" if envelope.repeated else ""),
    ]
    return " · ".join(part for part in parts if part)
