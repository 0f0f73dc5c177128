"""The whole line with the real scheduler: a recorded day becomes delivered alerts, and a second run changes nothing.

What dag.test() hides is met here: processes, pools, assets that start DAGs, absent logical dates, the REST API.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import run
from pipeline.demo import demo, show
from pipeline.demo.server import MailBook, SlackBook, serve
from pipeline.demo.world import World, enter
from pipeline.platform.services import Services
from pipeline.platform.status import look
from pipeline.settings import Settings
from pipeline.store import ask

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# What a second run must leave alone; polls of feeds and evaluations of new quarters of an hour are its own.
SNAPSHOT = """
select 'articles' as what, count(*)::text, md5(string_agg(articles::text, '|' order by id)) from public.articles
union all select 'revisions', count(*)::text, md5(string_agg(article_revisions::text, '|' order by article_id, seen_at)) from public.article_revisions
union all select 'stories', count(*)::text, md5(string_agg(stories::text, '|' order by id)) from public.stories
union all select 'mentions', count(*)::text, md5(string_agg(mentions::text, '|' order by article_id, company_id)) from public.mentions
union all select 'scores', count(*)::text, md5(string_agg(scores::text, '|' order by story_id, model_version_id)) from public.scores
union all select 'counted', count(*)::text, md5(string_agg(counted_stories::text, '|' order by story_id)) from public.counted_stories
union all select 'alerts', count(*)::text, md5(string_agg(format('%s %s %s', id, series_id, fired_at), '|' order by id)) from public.alerts
union all select 'notifications', count(*)::text, md5(string_agg(notifications::text, '|' order by id)) from public.notifications
"""


@dataclass
class Played:
    """The line after its first run, still up."""

    world: World
    settings: Settings
    services: Services
    line: run.Line
    mails: MailBook
    slack: SlackBook


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    kept = dict(os.environ)
    os.environ["UNDERTOW_HOME"] = str(tmp_path_factory.mktemp("e2e"))
    try:
        with ExitStack() as stack:
            yield _play(stack)
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _play(stack: ExitStack) -> Played:
    world, settings = enter(run.now())
    services = Services(settings)
    stack.callback(services.down)
    mails, slack = stack.enter_context(serve(world.home, world.anchor, world.http_port, world.smtp_port))
    say = demo.Teller()
    demo._prepare(world, settings, say)
    line = stack.enter_context(run.open_line(settings))
    demo._play_today(world, services, line, say)
    return Played(world, settings, services, line, mails, slack)


def snapshot(settings: Settings) -> dict[str, Any]:
    _, rows = ask.ask(settings, SNAPSHOT)
    return {row[0]: row[1:] for row in rows}


def test_both_crises_are_told_by_mail_and_slack(played: Played) -> None:
    subjects = [show.read_mail(path)["Subject"] for path in played.mails.mails()]
    assert any("Orvex" in subject for subject in subjects), subjects
    assert any("bank" in subject.lower() for subject in subjects), subjects
    told = " ".join(str(call["payload"].get("text")) for call in played.slack.messages())
    assert "Orvex" in told
    assert len(subjects) < 8, "people would switch it off"


def test_the_mail_holds_its_evidence(played: Played) -> None:
    mail = next(m for m in map(show.read_mail, played.mails.mails()) if "Orvex" in m["Subject"])
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "negative stories" in text
    assert played.world.base_url in text
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html", "image/png"}


def test_quiet_companies_are_not_told_of(played: Played) -> None:
    subjects = " ".join(show.read_mail(path)["Subject"] for path in played.mails.mails())
    assert "Aurelle" not in subjects, "a story that many outlets copy is one story"
    assert "Kestrel" not in subjects


def test_the_dead_feed_stopped_nobody(played: Played) -> None:
    _, rows = ask.ask(
        played.settings,
        "select name, status from public.feeds join public.feed_states on feed_id = id where origin = 'file'",
    )
    states = dict(rows)
    assert states.pop("dockside-energy") != "ok"
    assert set(states.values()) == {"ok"}


def test_status_says_that_all_is_well(played: Played) -> None:
    found = look(played.settings)
    assert found.well, found
    assert {name for name, succeeded, _ in found.dags if succeeded} >= set(demo.CHAIN)


def listening_addresses(process: psutil.Process) -> list[str]:
    # A task may have ended since it was listed, and while it runs Airflow hides it from its own user.
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    return []


def test_every_process_listens_on_loopback_only(played: Played) -> None:
    pids = [state.pid for state in played.services.states()] + [played.services.server.pid()]
    processes = [
        p for pid in pids if pid for p in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    ]
    listening = [address for process in processes for address in listening_addresses(process)]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_secrets_stay_off_logs(played: Played) -> None:
    secret = played.services.server._password()
    logs = [*played.services.folder.glob("*"), *Path(played.settings.home, "airflow", "logs").rglob("*.log")]
    assert logs
    assert not [log for log in logs if log.is_file() and secret in log.read_text(errors="replace")]


def test_a_second_run_changes_nothing(played: Played) -> None:
    for hours in (6, 12):  # by then every feed is due again
        tick = _tick()
        # what the quarter of an hour has moved on since the first run is not the second one's doing
        run.detect(played.line)
        run.notify(played.line)
        before = _seen(played)
        _run_again(played, played.world.anchor + timedelta(hours=hours))
        if _tick() == tick:
            break  # else it judged a tick of its own, which may move an alert on
    assert int(before[0]["articles"][0]) > 600
    assert _seen(played) == before


def _tick() -> int:
    return int(run.now().timestamp() // 900)


def _seen(played: Played) -> tuple[dict[str, Any], Any, Any]:
    return snapshot(played.settings), played.mails.mails(), played.slack.messages()


def _run_again(played: Played, later: datetime) -> None:
    client, polls = played.services.client(), "select count(*) from public.feed_fetches"
    polled = ask.ask(played.settings, polls)[1][0][0]
    for dag_id in demo.CHAIN:
        conf = {"as_of": later.isoformat()} if dag_id == "ingest" else None
        assert client.wait(client.trigger(dag_id, conf), demo.CHAIN_TIMEOUT_S).state == "success"
    assert ask.ask(played.settings, polls)[1][0][0] >= polled + 8, "the feeds were polled again"


def test_down_leaves_nothing_running(played: Played) -> None:
    pids = [state.pid for state in played.services.states()] + [played.services.server.pid()]
    assert played.services.down()
    assert not [
        pid
        for pid in pids
        if pid and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]
    assert look(played.settings).well is False
