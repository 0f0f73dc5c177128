"""SIGKILL at any point: nothing lost, nothing told twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from forker import Forker
from notify_sinks import MailSink, SlackSink
from notify_world import make_world
from sqlalchemy.engine import Engine

ALERTS = """
[receivers.mail]
kind = "email"
to = ["risk@bank.example"]

[receivers.slack]
kind = "slack"
channel = "C01"

[[routes]]
receivers = ["mail", "slack"]
"""
# NOTIFY_KILLS=50 gives the figure in bench/README.md.
KILLS = int(os.environ.get("NOTIFY_KILLS", "10"))
EPISODES = 2 * KILLS


def test_killed_at_random_points(engine: Engine, database_url: str, tmp_path: Path) -> None:
    chance = random.Random(20260914)
    with MailSink() as mail, SlackSink() as slack:
        # half before the message is stored there and half after, so that kills fall on both sides of it
        mail.delay_s = slack.delay_s = 0.01
        world = make_world(engine, tmp_path, ALERTS)
        for number in range(EPISODES):
            alert = world.raise_alert(f"Company {number}")
            world.tell(alert)
            world.tell(alert, "rise")
        # each event a message of its own: what was tried is not folded
        world.run("update notifications set attempts = 1")

        def arrived() -> int:
            return len(mail.mails) + len(slack.messages)

        child = Forker("notify_child.py", database_url, str(tmp_path), str(mail.port), slack.api_url)
        ends: Counter[str] = Counter()
        for _ in range(KILLS):
            pid, target, deadline = (
                int(child.ask("run")),
                arrived() + chance.randint(0, 4),
                time.monotonic() + 30,
            )
            while arrived() < target and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.06))
            os.kill(pid, signal.SIGKILL)
            ends[child.read()] += 1
        before_end = arrived()
        child.ask("run")
        assert child.read() == "exit 0"
        child.stop()

    assert ends == {"killed": KILLS}
    assert 0 < before_end < arrived()
    rows = world.rows("receiver, state")
    assert len(rows) == 4 * EPISODES
    assert {state for _, state in rows} == {"sent"}
    # Slack: the key of each message exactly once, also where the process died before it could write that down
    assert len(slack.keys()) == len(set(slack.keys())) == 2 * EPISODES
    # mail: every message, and where one came twice it has the same Message-ID, by which mailboxes drop the second
    copies = Counter(str(message["Message-ID"]) for message in mail.mails)
    assert len(copies) == 2 * EPISODES
    assert all(str(m["X-Undertow-Key"]) in str(m["Message-ID"]) for m in mail.mails)
    print(
        f"{KILLS} kills, {4 * EPISODES} messages: none lost, {slack.calls.count('conversations.history')} looked up in"
        f" Slack, {sum(copies.values()) - len(copies)} mails repeated under their Message-ID"
    )
