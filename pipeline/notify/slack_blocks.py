"""Slack's Block Kit for alerts and notes, and the elements that a digest is made of. Pure.

Text of feeds goes into rich_text and plain_text only: Slack reads no markup there, so a title can neither call a
channel nor forge a link. Links stand in for buttons: a button wants an interactivity endpoint on the internet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.notify.card import CardPoint
from pipeline.notify.view import Action, StoryView, View

Block = dict[str, Any]
HEADER_CHARS = 150
MARKS = {"critical": "🔴", "warning": "🟠", "resolved": "🟢", "note": "🔵"}
LEVELS = "▁▂▃▄▅▆▇█"
SPARK_HOURS = 24
# Stories in a message; mail has more.
STORIES = 4


def escape(text: str) -> str:
    """`text` for mrkdwn: the three characters that Slack gives a meaning everywhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def alert_blocks(view: View) -> tuple[Block, ...]:
    """The message of an alert in its present state; what to do comes before what Slack folds away."""
    said = (
        [bold(f"{view.lead}."), plain(f" At its height: {view.finding}")]
        if view.lead
        else [bold(view.finding)]
    )
    doubt = [bold(f"\n{view.cause}")] if view.cause else []
    first = [view.acknowledge] if view.acknowledge else []
    blocks = [
        header(f"{MARKS[view.tone]} {view.state} · {view.name}"),
        rich(section(*said, plain(f" against {view.against}"), *doubt)),
        rich(section(*actions([*first, *view.verdicts, view.desk]))),
        facts(view.facts),
    ]
    if view.chart:
        blocks.append(rich(preformatted(sparkline(view.chart))))
    if view.stories:
        blocks.append(rich(*_stories(view.stories, view.more_stories)))
    if view.robustness:
        blocks.append(rich(section(plain(("⚠️ " if view.narrow else "") + view.robustness))))
    if view.timeline:
        blocks.append(context(" → ".join(view.timeline)))
    return (*blocks, context(view.footer))


def reply_blocks(view: View) -> tuple[Block, ...]:
    """What is said in the thread when the alert moves on."""
    said = view.subject if view.tone == "resolved" else f"{view.state}: {view.finding} against {view.against}"
    return (rich(section(bold(said))), context(" → ".join(view.timeline) or view.footer))


def note_blocks(subject: str, lines: Iterable[str], desk_url: str) -> tuple[Block, ...]:
    items = [section(plain(line)) for line in lines]
    body = [rich(listing(items))] if items else []
    return (header(f"{MARKS['note']} {subject}"), *body, rich(section(link("Open the desk", desk_url))))


def _stories(stories: Sequence[StoryView], more: int) -> list[Block]:
    items = []
    more += len(stories[STORIES:])
    for story in stories[:STORIES]:
        title = link(story.title, story.url, bold=True) if story.url else bold(story.title)
        corrections = actions(story.actions) if story.actions else []
        weighed = f"words that weighed: {story.words}\n" if story.words else ""
        items.append(section(title, plain(f"\n{story.line}\n{weighed}"), *corrections))
    rest = [section(plain(f"and {more} more on the desk"))] if more else []
    return [listing(items, style="ordered"), *rest]


def sparkline(points: Sequence[CardPoint]) -> str:
    """The last day, one character an hour, under it what is usual on the same scale."""
    last = points[-SPARK_HOURS:]
    top = max([1.0, *(float(p.negative) for p in last), *(p.high for p in last)])
    now = "".join(_bar(p.negative / top) for p in last)
    usual = "".join(_bar(p.expected / top) for p in last)
    most = max(p.negative for p in last)
    return f"{now}  negative stories an hour, last {len(last)} h (most {most})\n{usual}  usual"


def _bar(share: float) -> str:
    return LEVELS[min(len(LEVELS) - 1, round(share * (len(LEVELS) - 1)))]


# ---- blocks and elements


def header(text: str) -> Block:
    short = text if len(text) <= HEADER_CHARS else text[: HEADER_CHARS - 1] + "…"
    return {"type": "header", "text": {"type": "plain_text", "text": short, "emoji": True}}


def facts(rows: Iterable[tuple[str, str]]) -> Block:
    """Up to ten fields in two columns."""
    fields = [{"type": "mrkdwn", "text": f"*{escape(label)}*\n{_unmarked(value)}"} for label, value in rows]
    return {"type": "section", "fields": fields[:10] or [{"type": "mrkdwn", "text": "*No figures*"}]}


def _unmarked(text: str) -> str:
    # names of companies and sources are data too: no bold, no code, no strike-through by accident
    return escape(text).translate({ord(c): f"\u2060{c}" for c in "*_~`"})


def context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "plain_text", "text": text[:2000], "emoji": False}]}


def rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def preformatted(text: str) -> Block:
    return {"type": "rich_text_preformatted", "elements": [plain(text)]}


def listing(items: Sequence[Block], style: str = "bullet") -> Block:
    return {"type": "rich_text_list", "style": style, "elements": list(items)}


def plain(text: str) -> Block:
    return {"type": "text", "text": text}


def bold(text: str) -> Block:
    return {"type": "text", "text": text, "style": {"bold": True}}


def link(title: str, url: str, *, bold: bool = False) -> Block:
    element: Block = {"type": "link", "url": url, "text": title}
    return {**element, "style": {"bold": True}} if bold else element


def actions(links: Sequence[Action]) -> list[Block]:
    """Links side by side."""
    elements: list[Block] = []
    for action in links:
        elements += [plain("  ·  ")] if elements else []
        elements.append(link(action.title, action.url))
    return elements
