"""Forks a process that runs notify for each line on standard input, and prints its id, then how it ended.

The imports are done once, before the forks: a test that kills fifty runs need not load the program fifty times.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from pipeline.notify.step import build_senders, notify
from pipeline.settings import load_settings
from pipeline.store.engine import create_engine


def run_once(url: str, home: Path, smtp_port: int, slack_api_url: str) -> None:
    settings = load_settings(
        home=home,
        alerts_file=home / "alerts.toml",
        smtp_host="127.0.0.1",
        smtp_port=smtp_port,
        smtp_security="none",
        slack_bot_token="xoxb-test",
        slack_api_url=slack_api_url,
    )
    notify(create_engine(url), settings, build_senders(settings, {}), as_of=datetime.now(UTC))


def main() -> None:
    url, home, smtp_port, slack_api_url = sys.argv[1:]
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            run_once(url, Path(home), int(smtp_port), slack_api_url)
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}", flush=True)


main()
