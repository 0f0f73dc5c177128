"""The command `undertow`: one file per noun, mounted here. Commands import what they need when they run."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from pipeline.errors import UndertowError, redact

# Files of this package that expose `register(root)`; each adds its commands or groups.
COMMANDS = (
    "platform",
    "ingest",
    "feeds",
    "companies",
    "score",
    "detect",
    "alerts",
    "notify",
    "labels",
    "models",
    "retrain",
    "desk",
)


class _Stopped(Exception):
    """Somebody pressed Ctrl-C. Typer takes a KeyboardInterrupt for itself, and ends without a word."""


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _Stopped from error


def build_app() -> typer.Typer:
    """The typer application with every command."""
    app = typer.Typer(
        name="undertow",
        cls=_Commands,
        help="Notice bad financial news while it can still be acted on.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in COMMANDS:
        importlib.import_module(f"pipeline.cli.{name}").register(app)
    importlib.import_module("model.cli").register(app)
    return app


def main() -> None:
    """Entry point: deliberate errors become one line and an exit status, never a traceback."""
    try:
        build_app()()
    except UndertowError as error:
        advice = f"; {error.advice}" if error.advice else ""  # it may show how an address is written
        typer.echo(f"undertow: {redact(error.message)}{advice}", err=True)
        sys.exit(error.exit_status)
    except _model_error() as error:
        typer.echo(f"undertow: {redact(str(error))}", err=True)
        sys.exit(getattr(error, "exit_status", 1))
    except (KeyboardInterrupt, _Stopped):
        typer.echo("undertow: stopped; what was done is kept, run it again to go on", err=True)
        sys.exit(130)


def _model_error() -> type[Exception]:
    from model.errors import ModelError

    return ModelError
