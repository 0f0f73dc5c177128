"""Real headlines through the whole line: RSS on loopback, ingest, score, detect, notify, and at last the DAGs themselves.

    python bench/real_news.py --data ../shared/data [--headlines 3000] [--airflow]

Headlines of SEntFiN, TFNS and TFN-topic (labelled; see the data's README for licences) are published over three days,
shuffled, by three RSS feeds. A simulated clock polls them every three hours by the functions that the DAG tasks call;
with --airflow the last poll is a run of the DAGs under the real scheduler. Printed: counts at each step, the verdicts
against the labels, alerts, and the time of each step. The labels come from the training parts, so the model has seen
most of these texts: the agreement checks the line, not the model.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SETS = ("sentfin", "tfns", "tfn_topic")
DAYS = 3
POLL_EVERY = timedelta(hours=3)
# A company is watched when it is named this often in the sample.
LEAST_MENTIONS = 5


def read_headlines(data: Path, number: int, seed: int = 7) -> list[dict[str, Any]]:
    """`number` labelled headlines, a third from each set."""
    chosen = []
    for name in SETS:
        rows = [json.loads(line) for line in (data / name / "train.jsonl").open(encoding="utf-8")]
        random.Random(seed).shuffle(rows)
        chosen += [
            {**row, "set": name, "id": f"{name}-{n}"} for n, row in enumerate(rows[: number // len(SETS)])
        ]
    random.Random(seed).shuffle(chosen)
    return chosen


class Wire:
    """Three feeds whose content depends on the simulated time."""

    def __init__(self, rows: list[dict[str, Any]], start: datetime, end: datetime) -> None:
        step = (end - start) / len(rows)
        self.rows = [{**row, "at": start + step * n} for n, row in enumerate(rows)]
        self.now = start

    def document(self, name: str) -> bytes:
        """The RSS document of one set as of now: what was published in the last day, the newest first."""
        shown = [
            r for r in self.rows if r["set"] == name and self.now - timedelta(days=1) < r["at"] <= self.now
        ]
        items = "".join(
            f"<item><guid isPermaLink='false'>{r['id']}</guid><title>{escape(r['text'])}</title>"
            f"<pubDate>{format_datetime(r['at'])}</pubDate></item>"
            for r in reversed(shown)
        )
        return f"<?xml version='1.0'?><rss version='2.0'><channel><title>{name}</title>{items}</channel></rss>".encode()

    @contextmanager
    def serve(self) -> Iterator[int]:
        """Serves on a free loopback port; yields it."""
        wire = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = wire.document(self.path.strip("/"))
                self.send_response(200)
                self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def write_home(home: Path, rows: list[dict[str, Any]], port: int) -> None:
    """Settings and lists of a home of its own."""
    home.mkdir(parents=True, exist_ok=True)
    named = Counter(name for row in rows for name in row.get("entities", {}))
    watched = [name for name, times in named.most_common() if times >= LEAST_MENTIONS]
    files = {
        "feeds.toml": "".join(
            f'[[feeds]]\nname = "{n}"\ntitle = "{n}"\nurl = "http://127.0.0.1:{port}/{n}"\nlanguage = "en"\nmin_interval_s = 10\n\n'
            for n in SETS
        ),
        "companies.toml": "".join(f"[[companies]]\nname = {json.dumps(n)}\n\n" for n in watched),
        "alerts.toml": '[receivers.nobody]\nkind = "email"\nto = ["nobody@localhost"]\n\n[[routes]]\nname = "all"\nreceivers = ["nobody"]\n',
    }
    for name, text in files.items():
        (home / name).write_text(text)
    os.environ |= {
        "UNDERTOW_HOME": str(home),
        "UNDERTOW_FEEDS_FILE": str(home / "feeds.toml"),
        "UNDERTOW_COMPANIES_FILE": str(home / "companies.toml"),
        "UNDERTOW_ALERTS_FILE": str(home / "alerts.toml"),
        "UNDERTOW_FETCH_ALLOW_PRIVATE": f"127.0.0.1:{port}",
        "UNDERTOW_AIRFLOW_SCHEDULES": "false",
    }


class Clock:
    """Adds up the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def __call__(self, name: str, work: Any, *args: Any, **options: Any) -> Any:
        began = time.monotonic()
        report = work(*args, **options)
        self.seconds[name] += time.monotonic() - began
        if isinstance(report, dict):
            self.counts[name].update({k: v for k, v in report.items() if isinstance(v, int)})
        return report


def play(line: Any, wire: Wire, end: datetime, clock: Clock) -> None:
    """Polls every three hours of the simulated time, up to the last poll before `end`."""
    from pipeline import run

    day = None
    while wire.now + POLL_EVERY < end:
        wire.now += POLL_EVERY
        if wire.now.date() != day:
            day = wire.now.date()
            clock("sync", run.sync, line, as_of=wire.now)
        clock("ingest", run.ingest, line, as_of=wire.now)
        clock("score", run.score, line, as_of=wire.now)
        clock("baselines", run.build_baselines, line, as_of=wire.now)
        clock("detect", run.detect, line, as_of=wire.now)
        print(f"  {wire.now:%d %b %H:%M}  {dict(clock.counts['ingest'])}", flush=True)


def play_dags(line: Any, clock: Clock) -> None:
    """The last poll by the DAGs, under the real scheduler."""
    from pipeline.demo.demo import CHAIN, CHAIN_TIMEOUT_S, _await_dags, _follower
    from pipeline.platform.services import Services

    services = Services(line.settings)
    services.up(print, desk=False)
    try:
        client = services.client()
        _await_dags(client)
        began = client.trigger("ingest")
        for dag_id in CHAIN:
            started = time.monotonic()
            ended = client.wait(
                began if dag_id == "ingest" else _follower(client, dag_id, began), CHAIN_TIMEOUT_S
            )
            clock.seconds[f"DAG {dag_id}"] += time.monotonic() - started
            print(f"  DAG {dag_id}: {ended.state}", flush=True)
    finally:
        services.supervisor.stop()


VERDICTS = """
select a.guid, sc.sentiment, (select topic from public.score_topics t where t.story_id = sc.story_id order by probability desc limit 1) as topic,
  (select coalesce(json_object_agg(c.name, k.sentiment), '{}') from public.score_companies k join public.companies c on c.id = k.company_id
   where k.story_id = sc.story_id) as companies
from public.articles a join public.scores sc on sc.story_id = a.story_id
"""


def judge(line: Any, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Share of labels that the stored verdicts repeat."""
    from pipeline.store.ask import ask

    columns, found = ask(line.settings, VERDICTS)
    said = {row[0]: dict(zip(columns, row, strict=True)) for row in found}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows:
        verdict = said.get(row["id"])
        if verdict is None:
            continue
        pairs = [
            ("sentiment of " + row["set"], row.get("sentiment"), verdict["sentiment"]),
            ("topic", row.get("topic"), verdict["topic"]),
        ]
        pairs += [
            ("company", label, verdict["companies"].get(name))
            for name, label in row.get("entities", {}).items()
            if name in verdict["companies"]
        ]
        for name, label, answer in pairs:
            if label not in (None, "mixed"):
                total[name] += 1
                right[name] += label == answer
    return {name: f"{right[name] / total[name]:.3f} of {total[name]}" for name in sorted(total)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--headlines", type=int, default=3000)
    parser.add_argument("--airflow", action="store_true")
    options = parser.parse_args()
    rows = read_headlines(options.data, options.headlines)
    end = datetime.now(UTC).replace(microsecond=0)
    wire, clock = Wire(rows, end - timedelta(days=DAYS), end), Clock()
    with tempfile.TemporaryDirectory() as folder, wire.serve() as port:
        write_home(Path(folder), rows, port)
        report(rows, wire, end, clock, airflow=options.airflow)


def report(rows: list[dict[str, Any]], wire: Wire, end: datetime, clock: Clock, *, airflow: bool) -> None:
    from pipeline import run
    from pipeline.settings import load_settings
    from pipeline.store import migrate, server
    from pipeline.store.ask import ask

    settings = load_settings()
    try:
        migrate.upgrade(server.database_url(settings))
        with run.open_line(settings) as line:
            play(line, wire, end, clock)
            wire.now = end
            if airflow:
                play_dags(line, clock)
            else:
                for name in ("ingest", "score", "detect"):
                    clock(name, getattr(run, name), line, as_of=end)
            tables = (
                "articles",
                "stories",
                "mentions",
                "scores",
                "unscored_stories",
                "spikes",
                "alerts",
                "article_rejects",
            )
            counts = {t: ask(settings, f"select count(*) from public.{t}")[1][0][0] for t in tables}
            for title, found in (("stored", counts), ("verdicts equal to the label", judge(line, wire.rows))):
                print(f"\n{title}")
                for name, value in found.items():
                    print(f"  {name:<28} {value}")
    finally:
        server.embedded(settings).stop()
    print("\nseconds")
    for name, seconds in clock.seconds.items():
        print(f"  {name:<28} {seconds:.1f}")


if __name__ == "__main__":
    main()
