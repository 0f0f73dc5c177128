"""How fast messages are made and handed in: rendering, the chart, and the outbox to a mail server and a Slack on loopback.

    python bench/notify.py --alerts 200

An embedded PostgreSQL, real SMTP and HTTP; the servers are the sinks of the tests. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "unit" / "notify")]

from notify_examples import message  # noqa: E402
from notify_sinks import MailSink, SlackSink  # noqa: E402
from notify_world import START, make_world  # noqa: E402

from pipeline.notify import chart  # noqa: E402
from pipeline.store import migrate  # noqa: E402
from pipeline.store.engine import create_engine  # noqa: E402
from pipeline.store.server import Server  # noqa: E402

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


def median_ms(work: Callable[[], object], times: int = 30) -> float:
    """Median processor time of `work`, milliseconds, after one run to warm up."""
    work()
    took = []
    for _ in range(times):
        started = time.process_time()
        work()
        took.append(1000 * (time.process_time() - started))
    return round(statistics.median(took), 1)


def deliver(alerts: int) -> dict[str, float]:
    """Seconds that one run of notify takes to tell `alerts` alerts to a mail address and a Slack channel."""
    with tempfile.TemporaryDirectory() as directory, MailSink() as mail, SlackSink() as slack:
        server = Server(Path(directory) / "postgres").start()
        server.ensure_database("bench")
        migrate.upgrade(server.url("bench"))
        engine = create_engine(server.url("bench"))
        world = make_world(
            engine, Path(directory), ALERTS, smtp_host="127.0.0.1", smtp_port=mail.port,
            slack_bot_token="xoxb-bench", slack_api_url=slack.api_url,
        )  # fmt: skip
        for number in range(alerts):
            world.tell(world.raise_alert(f"Company {number}"))
        started = time.perf_counter()
        report = world.notify(START)
        took = time.perf_counter() - started
        engine.dispose()
        server.stop()
        assert report.sent == 2 * alerts == len(mail.mails) + len(slack.messages)
    return {
        "alerts": alerts,
        "messages": 2 * alerts,
        "seconds": round(took, 2),
        "messages_per_s": round(2 * alerts / took, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=200)
    options = parser.parse_args()
    told = message("company_crisis")
    figures = {
        "render_cpu_ms": median_ms(lambda: message("company_crisis")),
        "chart_cpu_ms": median_ms(lambda: chart.draw(told.chart, told.tone, told.zone)),
        "html_bytes": len(told.html.encode()),
        "chart_bytes": len(chart.draw(told.chart, told.tone, told.zone)),
        "delivery": deliver(options.alerts),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
