"""`undertow desk`: serve the web pages, and who may log in to them."""

from __future__ import annotations

import sys

import typer

from pipeline.cli.output import JSON, print_json, table

app = typer.Typer(help="The web pages for analysts.", invoke_without_command=True)
users = typer.Typer(
    help="Who may log in where the desk is reached from beyond this machine.", no_args_is_help=True
)
app.add_typer(users, name="user")


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="desk")


@app.callback()
def serve(
    context: typer.Context,
    host: str = typer.Option(
        None, help="Address to listen on; anything but loopback without a proxy needs a login."
    ),
    port: int = typer.Option(None, help="Port; default UNDERTOW_DESK_PORT."),
) -> None:
    """Serve the desk until Ctrl-C.

    Example: undertow desk --port 8070
    """
    if context.invoked_subcommand is not None:
        return
    from pipeline import run
    from pipeline.desk.serve import serve_desk
    from pipeline.settings import load_settings

    given = {"desk_host": host, "desk_port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    with run.open_line(settings) as line:
        serve_desk(line.engine, settings, say=typer.echo)


@users.command("add")
def add(
    name: str,
    role: str = typer.Option(
        "reader", help="reader, labeller or operator; each may do what those before it may."
    ),
    password_stdin: bool = typer.Option(
        False, "--password-stdin", help="Read the password from standard input."
    ),
) -> None:
    """Add a user, or give one a new password and role, which ends all their sessions.

    Example: undertow desk user add ines --role labeller
    """
    from pipeline import run
    from pipeline.desk.sessions import hash_password
    from pipeline.errors import UsageError
    from pipeline.store.desk_access import audit, put_user

    password = (
        sys.stdin.readline().rstrip("\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    if len(password) < 10:
        raise UsageError("the password is shorter than 10 characters", "choose a longer one")
    with run.open_line() as line, line.engine.begin() as connection:
        new = put_user(connection, name, hash_password(password), role, run.now())
        audit(
            connection,
            who="command line",
            action="put user",
            target=name,
            detail={"role": role},
            as_of=run.now(),
        )
    typer.echo(f"{name} may log in as {role}" if new else f"{name} has a new password, role {role}")


@users.command("list")
def list_users(as_json: bool = JSON) -> None:
    """List who may log in.

    Example: undertow desk user list
    """
    from pipeline import run
    from pipeline.store import desk_access

    with run.open_line() as line, line.engine.connect() as connection:
        found = desk_access.list_users(connection)
    if as_json:
        print_json(found)
        return
    rows = [
        [user["name"], user["role"], user["created_at"], "disabled" if user["disabled_at"] else ""]
        for user in found
    ]
    table(["name", "role", "added", ""], rows, empty="nobody yet: undertow desk user add NAME --role reader")


@users.command("disable")
def disable(name: str) -> None:
    """Take a user's access away at once; open sessions end with it.

    Example: undertow desk user disable ines
    """
    from pipeline import run
    from pipeline.errors import UsageError
    from pipeline.store.desk_access import audit, disable_user

    with run.open_line() as line, line.engine.begin() as connection:
        if not disable_user(connection, name, run.now()):
            raise UsageError(f"there is no enabled user {name!r}", "`undertow desk user list` shows them")
        audit(connection, who="command line", action="disable user", target=name, as_of=run.now())
    typer.echo(f"{name} may no longer log in")


@app.command("audit")
def audit_trail(limit: int = typer.Option(50, min=1, help="How many."), as_json: bool = JSON) -> None:
    """Tell who changed what, the newest first.

    Example: undertow desk audit --limit 20
    """
    from pipeline import run
    from pipeline.store import desk_access

    with run.open_line() as line, line.engine.connect() as connection:
        found = desk_access.audit_trail(connection, limit)
    if as_json:
        print_json(found)
        return
    rows = [[row["at"], row["actor"], row["action"], row["target"]] for row in found]
    table(["when", "who", "what", "to what"], rows, empty="nobody changed anything yet")
