"""What the demo shows at its end: the alert, the mail as its reader sees it, the Slack message, what to try next."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

RULE = "─" * 78
QUESTION = "select * from alerts order by fired_at desc limit 5"


def alert_lines(alert: Mapping[str, Any]) -> list[str]:
    """One alert of the desk's list in a few lines."""
    delivered = [f"{one['receiver']} {one['state']}" for one in alert["notifications"]]
    return [
        f"{alert['severity'].upper()}  {alert['title']}  ({alert['state']})",
        f"  fired {alert['fired_at']:%Y-%m-%d %H:%M} UTC, told: {', '.join(delivered) or 'nobody'}",
    ]


def fired_lines(alerts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was told, and in one line what these alerts stand for."""
    told = [alert for alert in alerts if alert["told"]]
    others = [str(alert["title"]) for alert in alerts if not alert["told"]]
    lines = [line for alert in told for line in alert_lines(alert)]
    return [*lines, f"They stand for {len(others)} more that fired: {', '.join(others)}"] if others else lines


def read_mail(path: Path) -> EmailMessage:
    """A mail file."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mail_lines(path: Path) -> list[str]:
    """A mail as a text-only reader shows it."""
    message = read_mail(path)
    body = message.get_body(("plain", "html"))
    heads = [f"{name}: {message[name]}" for name in ("From", "To", "Subject", "Date") if message[name]]
    parts = sorted({part.get_content_type() for part in message.walk() if not part.is_multipart()})
    text = body.get_content().strip().splitlines() if body else []
    return [*heads, f"({', '.join(parts)})", "", *text]


def slack_lines(call: Mapping[str, Any]) -> list[str]:
    """The Slack message as its notification shows it, and its blocks as text."""
    payload = call["payload"]
    blocks = payload.get("blocks") or []
    if isinstance(blocks, str):
        blocks = json.loads(blocks)
    texts = [line for block in blocks for line in _block_texts(block)]
    return [
        f"{call['method']} -> {payload.get('channel', 'webhook')}",
        str(payload.get("text", "")),
        "",
        *texts,
    ]


def _block_texts(block: Any) -> list[str]:
    if isinstance(block, list):
        return [line for part in block for line in _block_texts(part)]
    if not isinstance(block, dict):
        return []
    if block.get("type") == "rich_text_section":
        return ["".join(str(part.get("text", "")) for part in block.get("elements", [])).strip()]
    own = [block["text"]] if isinstance(block.get("text"), str) else []
    inner = [value for key, value in block.items() if isinstance(value, (dict, list)) and key != "style"]
    return own + [line for part in inner for line in _block_texts(part)]


def next_commands(home: Path, alert: Mapping[str, Any]) -> list[str]:
    """Three commands to try."""
    undertow = f"UNDERTOW_HOME={_short(home)} .venv/bin/undertow"
    return [
        "Look at it all in the desk, then acknowledge the alert:",
        f"  UNDERTOW_HOME={_short(home)} make desk",
        "See the evidence of the alert, as it was when it fired:",
        f"  {undertow} alerts show {alert['id']}",
        "Ask the database what the line made of the day:",
        f'  {undertow} sql "{QUESTION}"',
    ]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def framed(heading: str, lines: Sequence[str]) -> str:
    """Lines under a heading, between rules."""
    return "\n".join([f"{RULE}\n{heading}\n{RULE}", *lines, ""])
