"""Figures in words: what an analyst reads first, in one voice for mail, Slack and everything else. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline.notify.card import Card, Without
from pipeline.types import NotificationKind

# Below it nobody can say that a level moved; the market-wide factor is then not worth a line.
MARKET_FACTOR_TOLD = 1.05
# Series named of those that an alert stands for.
STANDS_FOR = 5
CAUSES = {
    "new_feed": "a new feed joined in these hours",
    "model_promotion": "a new model took over in these hours",
    "backfill": "older articles arrived late in these hours",
    "one_source": "nearly all of it comes from one source",
}
TEST = "This is a test, sent by hand: nothing has happened."
EVENTS = {
    "open": "opened as {severity}",
    "rise": "rose to {severity}",
    "reopen": "crossed again, same alert",
    "acknowledge": "acknowledged by {actor}",
    "silence": "silenced by {actor}",
    "unsilence": "silence ended",
    "inhibit": "told with another alert",
    "resolve": "resolved",
    "test": "test sent by {actor}",
}


def subject(kind: NotificationKind, card: Card, open_for: timedelta | None, *, is_test: bool) -> str:
    """One line that can be understood alone: state, who, how many against how many."""
    line = f"{state(kind, card.severity)} · {name(card)}: "
    if kind == "resolve":
        line += f"{calm(open_for).lower()}, at most {finding(card, short=True)}"
    else:
        line += f"{finding(card, short=True)}, {level(card.expected)} expected"
    return f"[Test] {line}" if is_test else line


def state(kind: NotificationKind, severity: str) -> str:
    if kind == "resolve":
        return "Resolved"
    return "Now critical" if kind == "rise" and severity == "critical" else severity.capitalize()


def calm(open_for: timedelta | None) -> str:
    return "Calm again" + (f" after {duration(open_for)}" if open_for is not None else "")


def name(card: Card) -> str:
    return "Market-wide" if card.kind == "all" else card.title


def finding(card: Card, *, short: bool = False) -> str:
    """`23 negative stories in 4 hours`, or `... in 4 h`."""
    found = count(card.negative, "negative story")
    if not card.window_hours:
        return found
    unit = "h" if short else "hour" if card.window_hours == 1 else "hours"
    return f"{found} in {card.window_hours} {unit}"


def against(card: Card) -> str:
    usual = f"{level(card.expected)} expected"
    return f"{usual}, {times(card.ratio)} as many" if card.ratio is not None else usual


def facts(card: Card, zone: tzinfo, stands_for: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Label and value of each figure that is known, in reading order."""
    rows = [
        ("Window", span(card.window_start, card.window_end, zone)),
        ("Negative share", _share(card)),
        ("By chance", chance(card.p) if card.p is not None else ""),
        ("Reported by", _reported(card)),
        ("Carried by", _carried(card)),
        ("Whole market", _market(card)),
        ("Stands for", _stands_for(stands_for)),
    ]
    return [(label, value) for label, value in rows if value]


def robustness(card: Card) -> str:
    """Would it have fired without its largest story, without its largest source? Empty where not known."""
    story, source = card.without_story, card.without_source
    if story is None and source is None:
        return ""
    parts = {
        "without its largest story": story,
        f"without its largest source{f' ({source.source})' if source and source.source else ''}": source,
    }
    fired = [text for text, w in parts.items() if w is not None and w.would_fire]
    not_fired = [text for text, w in parts.items() if w is not None and not w.would_fire]
    if not not_fired:
        return f"It would have fired {' and '.join(fired)}."
    rest = f"; {fired[0]} it would" if fired else ""
    return f"It would not have fired {' or '.join(not_fired)}{rest}."


def is_narrow(card: Card) -> bool:
    """True where the alert rests on one story or one source."""
    checks: Sequence[Without | None] = (card.without_story, card.without_source)
    return any(w is not None and not w.would_fire for w in checks)


def cause(card: Card) -> str:
    """Why it may not be news. A market-wide alert names itself, not a doubt."""
    if card.cause in (None, "market_wide"):
        return ""
    return f"Perhaps not news: {CAUSES.get(card.cause or '', card.cause)}."


def event(kind: str, severity: str | None, actor: str) -> str:
    """What happened, or nothing for steps that no reader cares about."""
    return EVENTS.get(kind, "").format(severity=severity or "warning", actor=actor)


def _share(card: Card) -> str:
    total = card.negative + card.other
    now = card.share_now if card.share_now is not None else (card.negative / total if total else None)
    if now is None:
        return ""
    usual = f"; usually {percent(card.share_usual)}" if card.share_usual is not None else ""
    return f"{percent(now)} of {count(total, 'story')}{usual}"


def _reported(card: Card) -> str:
    if card.sources is None:
        return ""
    told = count(card.sources, "source")
    if not card.copies:
        return told
    return f"{told}, {count(card.negative + card.copies, 'article')} (each story counted once)"


def _carried(card: Card) -> str:
    return ", ".join(f"{c.title} ({c.negative})" for c in card.carried_by[:4] if c.negative)


def _market(card: Card) -> str:
    factor = card.market_factor
    if factor is None or factor < MARKET_FACTOR_TOLD or card.kind == "all":
        return ""
    return f"{factor:.1f} times as negative as usual; already allowed for"


def _stands_for(titles: Sequence[str]) -> str:
    if not titles:
        return ""
    named = ", ".join(titles[:STANDS_FOR])
    more = f" and {len(titles) - STANDS_FOR} more" if len(titles) > STANDS_FOR else ""
    return f"{count(len(titles), 'alert')} not told one by one: {named}{more}"


# ---- figures


def count(number: int, noun: str) -> str:
    """`23 negative stories`, `1 story`, `1,204 articles`, `2 days`."""
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"
    return f"{number:,} {plural}"


def level(expected: float) -> str:
    """An expected number of stories with as many digits as it deserves."""
    if expected < 0.05:
        return "almost none"
    return f"{expected:.1f}" if expected < 20 else f"{expected:,.0f}"


def times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.1f} times" if ratio < 20 else f"{ratio:,.0f} times"


def percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def chance(p: float) -> str:
    """How often a usual window would show as many."""
    if p <= 1e-12:
        return "less than 1 in a trillion"
    once = 1 / p
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if once >= size:
            return f"about 1 in {_two_digits(once / size):,.0f} {word}"
    return f"about 1 in {_two_digits(once):,.0f}"


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def span(start: datetime | None, end: datetime | None, zone: tzinfo) -> str:
    """`12:15 to 16:15 CET, Mon 23 Nov`; both days when they differ."""
    if start is None or end is None:
        return ""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if first.date() == last.date():
        return f"{first:%H:%M} to {last:%H:%M} {zone_name(last)}, {day(last)}"
    return f"{day(first)} {first:%H:%M} to {day(last)} {last:%H:%M} {zone_name(last)}"


def clock(at: datetime, zone: tzinfo, day_of: datetime | None = None) -> str:
    """`14:20`, with the day in front when it is not the day of `day_of`."""
    local = at.astimezone(zone)
    same = day_of is not None and day_of.astimezone(zone).date() == local.date()
    return f"{local:%H:%M}" if same else f"{day(local)} {local:%H:%M}"


def moment(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{day(local)} {local:%H:%M} {zone_name(local)}"


def day(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b}"


def zone_name(local: datetime) -> str:
    return "UTC" if local.tzinfo is UTC else local.tzname() or ""


def duration(length: timedelta) -> str:
    """`45 min`, `9 h 30 min`, `2 days 3 h`."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{count(days, 'day')} {rest} h" if rest else count(days, "day")
