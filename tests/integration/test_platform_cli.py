"""The commands of the machine, as people type them: what they print, what they exit with, and no traceback ever."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from command_line import Undertow
from learning import make_line
from sqlalchemy import Engine

from pipeline import run
from pipeline.platform import doctor
from pipeline.store import migrate
from pipeline.store.engine import clock_of
from pipeline.store.server import DATABASE, Server


def test_migrate_says_what_it_did_and_then_that_there_is_nothing_to_do(undertow: Undertow, home: str) -> None:
    assert "nothing to do" in undertow("db", "migrate", HOME=home).stdout
    assert json.loads(undertow("db", "migrate", "--json", HOME=home).stdout)["changed"] is False


def test_ctrl_c_is_one_line_that_says_what_next(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "feed.xml")  # who reads it waits for a writer
    words = [str(Path(sys.executable).with_name("undertow")), "parse", str(pipe)]
    command = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # who runs in the background ignores it
    )
    with command, pipe.open("wb"):  # which returns once the command has it open
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)
    assert said == "undertow: stopped; what was done is kept, run it again to go on\n"
    assert command.returncode == 130


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sql", "selec 1"), 'syntax error at or near "selec"'),
        (("sql", "set statement_timeout = 100; select pg_sleep(5)"), "statement timeout; ask for less"),
        (("sql", "select pg_terminate_backend(pg_backend_pid())"), "the database broke off"),
        (("sql", "select 1", "--csv", "a", "--json"), "exclude each other"),
        (("sql", "--json"), "needs a statement"),
        (("sql", "select 1 as a, 2 as a", "--json"), "two columns are named 'a'"),
        (("sql", "select 1", "--csv", "/no/such/folder/x.csv"), "cannot write"),
        (("db", "restore", "/no/such.dump"), "is no file"),
        (("evaluate", "--labels", "x.csv", "--report", "/no/such/folder/x"), "cannot write"),
        (("predict", "--input", "x.csv", "--output", "/no/such/folder/x"), "cannot write"),
        (("finetune", "--out", "/dev/null/x"), "cannot write /dev/null/x (Not a directory)"),
        (("pretrain", "--texts", "x.csv", "--out", "/dev/null/x"), "cannot write"),
        (("starter", "--out", "/dev/null/x"), "cannot write"),
        (("retrain", "--report", "/no/such/folder/x"), "cannot write"),
        (("retrain", "--report", "/"), "cannot write / (Is a directory)"),
        (("feeds", "export-opml", "/no/such/folder/x"), "cannot write"),
        (("feeds", "export-opml", "/dev/full"), "cannot write"),
        (("labels", "export", "/no/such/folder/x.csv"), "cannot write"),
        (
            ("labels", "export", "--format", "csv", "/dev/null/x"),
            "cannot write /dev/null/x (Not a directory)",
        ),
        (("retrain", "--run-key", "nosuch"), "there is no run 'nosuch' to go on with"),
        (("notify", "--again", "--receiver", "nosuch"), "alerts.toml has no [receivers.nosuch]"),
        (("score", "--days", "3"), "--days goes with --rescore"),
        (("feeds", "import-opml", "/no/such.opml"), "cannot be read (No such file or directory); name an"),
        (("companies", "import-csv", "/no/such.csv"), "cannot be read (No such file or directory); name a"),
        (("labels", "import", "/no/such.csv"), "cannot be read (No such file or directory); name a"),
        (("labels", "import", "/no/such.json"), "cannot be read (No such file or directory); name a"),
    ],
)
def test_mistakes_are_one_line(undertow: Undertow, home: str, words: tuple[str, ...], says: str) -> None:
    done = undertow(*words, HOME=home)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("finetune",), ("pretrain", "--texts", "x.csv"), ("starter",)])
def test_a_model_takes_the_place_of_nothing_else(
    undertow: Undertow, home: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").write_text("dear")
    done = undertow(*words, "--out", str(tmp_path / "models"), HOME=home)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "holds other things than a model" in done.stderr
    assert (tmp_path / "models" / "mine").read_text() == "dear"


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_an_audit_trail_has_at_least_one_row(undertow: Undertow, home: str, limit: str) -> None:
    done = undertow("desk", "audit", "--limit", limit, HOME=home)
    assert (done.returncode, "Invalid value for '--limit'" in done.stderr) == (2, True)


def test_a_retraining_with_nothing_to_learn_from_says_so_whatever_is_asked(
    undertow: Undertow, home: str, tmp_path: Path
) -> None:
    for force in ((), ("--force",)):
        done = undertow("retrain", *force, "--report", str(tmp_path / "report.html"), HOME=home)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "there are no new labels: there is nothing to learn from\n"
    assert not (tmp_path / "report.html").exists()


def test_a_backup_comes_back_and_what_was_there_is_kept(undertow: Undertow, home: str) -> None:
    undertow("sql", "--write", "insert into host_states values ('kept', now(), 'test')", HOME=home)
    dump = undertow("db", "backup", HOME=home).stdout.strip()
    assert Path(dump).stat().st_mode & 0o077 == 0
    undertow("sql", "--write", "delete from host_states", HOME=home)
    restored = undertow("db", "restore", dump, HOME=home)
    assert "undertow_before_" in restored.stdout
    assert "kept" in undertow("sql", "select host from host_states", HOME=home).stdout


@pytest.fixture
def new_home(tmp_path: Path, fast: dict[str, str]) -> Iterator[str]:
    """A home of a machine where Undertow never ran: an empty server with no role and no database of ours."""
    server = Server(tmp_path / "new" / "postgres", settings=fast).start()
    yield str(tmp_path / "new")
    server.stop()


def test_a_backup_comes_back_on_a_new_machine(undertow: Undertow, home: str, new_home: str) -> None:
    undertow("sql", "--write", "insert into host_states values ('moved', now(), 'test')", HOME=home)
    dump = undertow("db", "backup", HOME=home).stdout.strip()
    restored = undertow("db", "restore", dump, HOME=new_home)
    assert (restored.returncode, restored.stderr) == (0, "")
    assert "there was no database before" in restored.stdout
    assert "moved" in undertow("sql", "select host from host_states", HOME=new_home).stdout
    assert "nothing to do" in undertow("db", "migrate", HOME=new_home).stdout
    role = json.loads(
        undertow(
            "sql",
            "select setconfig::text, has_schema_privilege(setrole, 'analytics', 'usage') as may_use,"
            " has_table_privilege(setrole, 'analytics.alerts', 'select') as may_read"
            " from pg_db_role_setting where setrole = 'undertow_reader'::regrole and setdatabase = 0",
            "--json",
            HOME=new_home,
        ).stdout
    )
    assert "statement_timeout=30s" in role[0]["setconfig"]
    assert (role[0]["may_use"], role[0]["may_read"]) == (True, True)


def test_a_dump_that_is_refused_says_why(undertow: Undertow, home: str, new_home: str) -> None:
    undertow("sql", "--write", "create role guest; grant usage on schema analytics to guest", HOME=home)
    dump = undertow("db", "backup", HOME=home).stdout.strip()
    undertow("sql", "--write", "drop owned by guest; drop role guest", HOME=home)
    refused = undertow("db", "restore", dump, HOME=new_home)
    assert refused.returncode == 1
    assert 'role "guest" does not exist' in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_backup_that_fails_leaves_no_half_a_dump_and_old_ones_go(undertow: Undertow, home: str) -> None:
    folder = Path(home) / "backups"
    folder.mkdir(exist_ok=True)
    killed = folder / "undertow-20260101T021500Z.part"
    another = folder / f"undertow-{datetime.now(UTC) - timedelta(hours=1):%Y%m%dT%H%M%SZ}.part"
    for half_made in (killed, another):
        half_made.write_bytes(b"PGDMP")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, before[1]))  # for pg_dump, as good as a full disk
    try:
        done = undertow("db", "backup", HOME=home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (done.returncode, "pg_dump failed" in done.stderr) == (1, True)
    assert list(folder.glob("*.part")) == [another]
    another.unlink()


def test_the_doctor_says_how_to_mend(undertow: Undertow, home: str) -> None:
    findings = {f["what"]: f for f in json.loads(undertow("doctor", "--json", HOME=home).stdout)}
    assert findings["database"]["verdict"] == "ok"
    assert findings["clock"]["verdict"] == "ok"
    assert findings["mail"]["advice"]
    assert all(finding["advice"] for finding in findings.values() if finding["verdict"] != "ok")


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "found"),
    [(20, "ok", "ahead of"), (3600, "warning", "ahead of"), (-3600, "warning", "behind")],
)
def test_the_doctor_compares_the_clock_with_the_databases(
    engine: Engine,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: int,
    verdict: str,
    found: str,
) -> None:
    line = make_line(engine, database_url, tmp_path)
    monkeypatch.setattr(run, "now", lambda: clock_of(engine) + timedelta(seconds=ahead_s))
    finding = doctor._clock(line.settings)
    assert finding.verdict == verdict
    assert f" s {found} the database's" in finding.found
    assert ("NTP" in finding.advice) == (verdict == "warning")


def test_the_doctor_finds_what_is_broken(undertow: Undertow, home: str, tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[[feeds]]\nname = "Not A Name"\nurl = "ftp://x"\n')
    done = undertow(
        "doctor", HOME=home, FEEDS_FILE=str(tmp_path / "feeds.toml"), SMTP_HOST="127.0.0.1", SMTP_PORT="1"
    )
    assert done.returncode == 1
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert any("feeds" in line for line in bad)
    assert any("mail" in line and "does not answer" in line for line in bad)


@pytest.mark.parametrize(
    ("settings", "verdict", "says"),
    [
        ({}, "note", "1 receivers, 1 routes; not set up: desk; no mail server: set UNDERTOW_SMTP_HOST"),
        ({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1"}, "ok  ", "1 receivers, 1 routes"),
        ({"OPERATOR_RECEIVER": "nosuch"}, "BAD ", "'nosuch', which alerts.toml does not have; it has desk"),
    ],
)
def test_the_doctor_looks_at_the_receivers(
    undertow: Undertow, home: str, settings: dict[str, str], verdict: str, says: str
) -> None:
    done = undertow("doctor", HOME=home, **settings)
    line = next(line for line in done.stdout.splitlines() if " alerts: " in line)
    assert line.startswith(verdict)
    assert says in line


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        ({"DATABASE_URL": "postgresql://u:hush-hush@127.0.0.1:1/x"}, 1, "UNDERTOW_DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u:hush-hush@h/x"}, 2, "only postgresql://"),
        (
            {"DATABASE_URL": "no address"},
            2,
            "not a database address; write it as postgresql://user:password@",
        ),
        ({"DATABASE_ULR": "x"}, 2, "did you mean UNDERTOW_DATABASE_URL"),
        ({"AIRFLOW_PORT": "99999", "GPU_SLOTS": "none"}, 2, "2 mistakes"),
        ({"HOME": "/proc/nowhere"}, 1, "set UNDERTOW_HOME"),
        ({"FETCH_ALLOW_PRIVATE": "127.0.0.1:80,garbage"}, 2, "FETCH_ALLOW_PRIVATE: 'garbage' is neither"),
        ({"LABEL_QUEUE_MIX": "foo"}, 2, "UNDERTOW_LABEL_QUEUE_MIX: 'foo' is not reason=share"),
        ({"LABEL_QUEUE_MIX": "random=0"}, 2, "UNDERTOW_LABEL_QUEUE_MIX adds up to nothing"),
        ({"APPRISE_URLS": "hush-hush"}, 2, "UNDERTOW_APPRISE_URLS: address 1 is not name=scheme://"),
        ({"MODEL_DEVICE": "foo"}, 2, "UNDERTOW_MODEL_DEVICE: 'foo' is no device"),
        ({"DESK_URL": "foo"}, 2, "UNDERTOW_DESK_URL: it is no address"),
        ({"DESK_URL": "http://desk:many"}, 2, "UNDERTOW_DESK_URL: it is no address"),
        ({"SLACK_API_URL": "slack.com"}, 2, "UNDERTOW_SLACK_API_URL: it is no address"),
    ],
)
def test_wrong_settings_are_told_in_words(
    undertow: Undertow, settings: dict[str, str], status: int, says: str
) -> None:
    done = undertow("db", "migrate", **settings)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "hush-hush" not in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("UNDERTOW_SMTP_HOTS=mail.bank.example", "did you mean UNDERTOW_SMTP_HOST?"),
        ("export undertow_smtp_hots=mail.bank.example", "did you mean UNDERTOW_SMTP_HOST?"),
        ("UNDERTOW_SMTP_PORT=many", "UNDERTOW_SMTP_PORT: "),
    ],
)
def test_wrong_settings_in_the_file_are_told_in_words(
    undertow: Undertow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"POSTGRES_PASSWORD=hush-hush\n{line}\n")
    done = undertow("db", "migrate")
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "1 mistake in" in done.stderr


def test_a_schema_newer_than_the_code_is_refused(undertow: Undertow, home: str) -> None:
    undertow("sql", "--write", "update alembic_version set version_num = '9999'", HOME=home)
    try:
        for words in (("sql", "select 1"), ("db", "migrate")):
            done = undertow(*words, HOME=home)
            assert done.returncode == 2
            assert "update the code" in done.stderr
    finally:
        url = Server(Path(home) / "postgres").url(DATABASE).replace("+psycopg2", "")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("update alembic_version set version_num = %s", (migrate.head(),))


def test_up_refuses_a_chosen_port_that_is_taken(undertow: Undertow, home: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = str(somebody.getsockname()[1])
        done = undertow("up", "--detach", HOME=home, AIRFLOW_PORT=port)
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr


def test_up_starts_nothing_while_a_list_has_mistakes(undertow: Undertow, tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[[feeds]]\nname = "Not A Name"\n')
    done = undertow("up", "--detach", HOME=str(tmp_path / "home"), FEEDS_FILE=str(tmp_path / "feeds.toml"))
    assert done.returncode == 2
    assert "2 mistakes" in done.stderr
    assert not (tmp_path / "home").exists()


def test_feeds_of_a_reader_come_in_beside_removed_ones(undertow: Undertow, home: str, tmp_path: Path) -> None:
    removed = "insert into feeds (name, url, origin, added_at, removed_at) values ('old', 'https://e.com/old', 'file', now(), now())"
    assert undertow("sql", "--write", removed, HOME=home).returncode == 0
    path = tmp_path / "reader.opml"
    path.write_text(
        '<opml><body><outline text="Old" xmlUrl="https://e.com/new"/><outline text="X" xmlUrl="https://e.com/old"/></body></opml>'
    )
    done = undertow("feeds", "import-opml", str(path), "--json", HOME=home)
    assert json.loads(done.stdout) == {"found": 2, "added": 2}
    rows = undertow(
        "sql", "select name, url from public.feeds where removed_at is null order by 1", "--json", HOME=home
    )
    assert json.loads(rows.stdout) == [
        {"name": "old", "url": "https://e.com/old"},
        {"name": "old-2", "url": "https://e.com/new"},
    ]


def test_status_of_a_system_that_is_down(undertow: Undertow, tmp_path: Path) -> None:
    done = undertow("status", HOME=str(tmp_path))
    assert done.returncode == 1
    assert "make up" in done.stdout
    assert json.loads(undertow("status", "--json", HOME=str(tmp_path)).stdout)["well"] is False
    assert "Nothing was running" in undertow("down", HOME=str(tmp_path)).stdout
