"""`undertow up|down|status|doctor|sql|demo` and `undertow db`: the machine under the line."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.cli.output import JSON, print_json, table
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.platform.services import Services
    from pipeline.settings import Settings

database = typer.Typer(
    help="The schema of the database, and backups of the embedded one.", no_args_is_help=True
)


def register(root: typer.Typer) -> None:
    root.command("up")(up)
    root.command("down")(down)
    root.command("status")(status)
    root.command("doctor")(doctor)
    root.command("sql", context_settings={"ignore_unknown_options": True})(sql)
    root.command("demo")(demo)
    root.add_typer(database, name="db")


def up(
    detach: bool = typer.Option(
        False, "--detach", "-d", help="Return once it is healthy, and leave it running."
    ),
) -> None:
    """Start the live system: Postgres, Airflow and the desk, all on loopback; Ctrl-C stops it.

    Example: undertow up --detach
    """
    from pipeline import run
    from pipeline.platform import airflow
    from pipeline.platform.services import Services
    from pipeline.settings import load_settings

    settings = load_settings()
    _read_lists(settings)
    services = Services(settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    addresses = services.up(lambda news: typer.echo(f"  {news}"))
    with run.open_line(settings) as line:
        run.sync(line)
    typer.echo(f"""
The line runs; `make status` says how it does.
  desk      {addresses.desk_url}
  Airflow   {addresses.airflow_url}   login {airflow.USER}, password {airflow.password(settings)}
  database  undertow sql
  logs      {services.folder}
""")
    if not detach:
        _stay(services)


def _read_lists(settings: Settings) -> None:
    """Raises FileMistakes before anything is started."""
    from pipeline.detect.rules import load_rules
    from pipeline.ingest.lists import read_companies, read_feeds

    read_feeds(settings.feeds_file)
    read_companies(settings.companies_file)
    load_rules(settings.alerts_file)


def _stay(services: Services) -> None:
    """Wait until somebody stops the system, here by Ctrl-C or elsewhere by `undertow down`."""
    typer.echo("Ctrl-C stops it.")
    try:
        while services.supervisor.running():
            time.sleep(1)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave half of it running
        typer.echo("\nStopping; running tasks get half a minute.")
        services.down()
    typer.echo("Stopped.")


def down() -> None:
    """Stop what `up`, `demo` or a command started. Nothing is lost; the next start goes on.

    Example: undertow down
    """
    from pipeline.platform.services import Services
    from pipeline.settings import load_settings

    typer.echo("Stopped." if Services(load_settings()).down() else "Nothing was running.")


def status(as_json: bool = JSON) -> None:
    """Say what runs, and when each DAG last succeeded. Exit status 1 if the live system is down or unwell.

    Example: undertow status --json
    """
    from pipeline.platform.status import look
    from pipeline.settings import load_settings

    found = look(load_settings())
    if as_json:
        print_json(found.as_dict())
    else:
        table(
            ["process", "state", "since"],
            found.processes,
            empty="The live system is down; `make up` starts it.",
        )
        table(["DAG", "last success", "newest run"], found.dags, empty="")
        for note in found.notes:
            typer.echo(note)
    raise typer.Exit(0 if found.well else 1)


def doctor(
    as_json: bool = JSON,
    env_example: bool = typer.Option(
        False, "--env-example", help="Print .env.example, as it should be, instead."
    ),
) -> None:
    """Check Python, settings, database, clock, model, Airflow, receivers and disk, and say how to mend what is wrong.

    Example: undertow doctor
    """
    from pipeline.platform.doctor import examine
    from pipeline.settings import env_example as text

    if env_example:
        typer.echo(text(), nl=False)
        return
    findings = examine()
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            mark = {"ok": "ok  ", "warning": "note", "error": "BAD "}[finding.verdict]
            typer.echo(
                f"{mark}  {finding.what}: {finding.found}" + (f"; {finding.advice}" if finding.advice else "")
            )
    raise typer.Exit(1 if any(finding.verdict == "error" for finding in findings) else 0)


def sql(
    statement: str | None = typer.Argument(None, help="One statement; without it psql opens."),
    csv: Path | None = typer.Option(None, "--csv", metavar="FILE", help="Write the rows as CSV."),
    parquet: Path | None = typer.Option(None, "--parquet", metavar="FILE", help="Write the rows as Parquet."),
    write: bool = typer.Option(False, "--write", help="May change data; without it everything is read-only."),
    as_json: bool = JSON,
) -> None:
    """Ask the database: psql, or one statement, read-only in schema `analytics` unless told otherwise.

    Example: undertow sql "select * from sentiment_daily order by start_at desc limit 5" --csv days.csv
    """
    from pipeline.settings import load_settings
    from pipeline.store import ask

    chosen = [name for name, value in (("--csv", csv), ("--parquet", parquet), ("--json", as_json)) if value]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} exclude each other", "choose one")
    if statement is None:
        if chosen:
            raise UsageError(
                f"{chosen[0]} needs a statement", 'for example: undertow sql "select 1" ' + chosen[0]
            )
        raise typer.Exit(ask.open_psql(load_settings(), write=write))
    columns, rows = ask.ask(
        load_settings(),
        statement,
        write=write,
        json_as_text=bool(csv or parquet),
        bytes_as_text=parquet is None,
    )
    if csv or parquet:
        ask.save(columns, rows, csv=csv, parquet=parquet)
        typer.echo(f"{len(rows)} rows in {csv or parquet}")
    elif as_json:
        print_json(ask.records(columns, rows))
    else:
        table(columns, rows, empty="no rows")


def demo(
    fresh: bool = typer.Option(False, "--fresh", help="Forget the last playing and begin from nothing."),
    retrain: bool = typer.Option(
        False, "--retrain", help="After a demo: import its labels, retrain, and see the gate decide."
    ),
) -> None:
    """Play a recorded day through the whole line, with the real Airflow, and show the alert that was delivered.

    Example: undertow demo
    """
    if retrain:
        from pipeline.demo.learn import learn

        learn()
        return
    from pipeline.demo.demo import play

    play(fresh=fresh)


@database.command("migrate")
def migrate(as_json: bool = JSON) -> None:
    """Bring the database to the schema of this code; running it again does nothing.

    Example: undertow db migrate
    """
    from pipeline.settings import load_settings
    from pipeline.store import migrate as migrations
    from pipeline.store import server

    report = migrations.upgrade(server.database_url(load_settings()))
    if as_json:
        print_json({"before": report.before, "after": report.after, "changed": report.changed})
    elif report.changed:
        typer.echo(f"schema {report.before or 'none'} -> {report.after}; views and roles made anew")
    else:
        typer.echo(f"schema {report.after}, nothing to do")


@database.command("backup")
def backup() -> None:
    """Dump the embedded database to UNDERTOW_HOME/backups; the newest seven are kept.

    Example: undertow db backup
    """
    from pipeline import run
    from pipeline.settings import load_settings
    from pipeline.store.backup import back_up

    typer.echo(str(back_up(_embedded_only(load_settings()), as_of=run.now())))


@database.command("restore")
def restore(dump: Path = typer.Argument(help="A file of `undertow db backup`.")) -> None:
    """Bring a dump back; the present database is kept beside it under another name.

    Example: undertow db restore .undertow/backups/undertow-20260101T021500Z.dump
    """
    from pipeline import run
    from pipeline.settings import load_settings
    from pipeline.store.backup import restore as bring_back

    aside = bring_back(_embedded_only(load_settings()), dump, as_of=run.now())
    before = f"what was there before is database {aside}" if aside else "there was no database before"
    typer.echo(f"restored {dump.name}; {before}")


@database.command("url")
def url() -> None:
    """Print the address of the database in force, password included, for other programs.

    Example: psql "$(undertow db url)"
    """
    from pipeline.settings import load_settings
    from pipeline.store import server

    typer.echo(server.database_url(load_settings()).replace("postgresql+psycopg2://", "postgresql://"))


def _embedded_only(settings: Settings) -> Settings:
    if settings.database_url is not None:
        raise UsageError("UNDERTOW_DATABASE_URL names a server of its own", "back it up with its own tools")
    return settings
