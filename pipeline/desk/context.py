"""What every page needs: the database, the settings, who asks, the form token, and how a page is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Header, Query, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import AfterValidator

from pipeline import run
from pipeline.desk.explaining import Explainer
from pipeline.desk.sessions import Attempts, Session, form_token, is_form_token
from pipeline.desk.visitors import NotAllowed, Visitor
from pipeline.desk.words import FILTERS
from pipeline.errors import UsageError
from pipeline.notify.key import signing_key
from pipeline.settings import Settings
from pipeline.store.desk_access import audit
from pipeline.store.engine import Connection, Engine, database_errors

HERE = Path(__file__).parent
PAGE_ROWS = 50
# What a file to take away holds at most. A spreadsheet holds 1,048,576 rows; 100,000 stories are 60 MB of CSV, and a Parquet
# file is made in memory.
FILE_ROWS, FILE_STORIES = 100_000, 5_000


@dataclass
class Desk:
    """One running desk. `engine` may be a function, called at the first request."""

    engine_source: Engine | Callable[[], Engine]
    settings: Settings
    mounted: bool = False
    attempts: Attempts = field(default_factory=Attempts)
    explainer: Explainer = field(default_factory=Explainer)

    @cached_property
    def engine(self) -> Engine:
        return self.engine_source if isinstance(self.engine_source, Engine) else self.engine_source()

    @cached_property
    def key(self) -> str:
        """The key of sessions and links."""
        return signing_key(self.settings)

    @cached_property
    def templates(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        return environment

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading."""
        with database_errors(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction for one change and its line in the audit."""
        with database_errors(self.engine), self.engine.begin() as connection:
            yield connection


@dataclass
class Asked:
    """One request: who asks what of which desk, at what time."""

    request: Request
    desk: Desk
    as_of: datetime

    @property
    def visitor(self) -> Visitor:
        visitor: Visitor = self.request.state.visitor
        return visitor

    @property
    def session(self) -> Session:
        session: Session = self.request.state.session
        return session

    @property
    def base(self) -> str:
        """What every link begins with: nothing, or where the desk is mounted."""
        return str(self.request.scope.get("root_path", "")).rstrip("/")

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """The page drawn from templates/<template>."""
        visitor = getattr(self.request.state, "visitor", None)
        text = self.desk.templates.get_template(template).render(
            base=self.base,
            path=self.request.url.path.removeprefix(self.base) or "/",
            visitor=visitor,
            may_label=visitor is not None and visitor.may("labeller"),
            may_operate=visitor is not None and visitor.may("operator"),
            form_token=form_token(self.session, self.desk.key),
            as_of=self.as_of,
            mounted=self.desk.mounted,
            file_rows=FILE_ROWS,
            file_stories=FILE_STORIES,
            said=self.request.query_params.get("said", "")[:200],
            **values,
        )
        return HTMLResponse(text, status_code=status)

    def go(self, path: str, said: str = "") -> Response:
        """Back to a page after a change, which says what was done."""
        query = f"?{urlencode({'said': said})}" if said else ""
        return RedirectResponse(f"{self.base}{path}{query}", status_code=303)

    def audit(self, connection: Connection, action: str, target: object = "", **detail: Any) -> None:
        """Notes a change under the visitor's name, in its transaction."""
        audit(
            connection,
            who=self.visitor.name,
            action=action,
            target=str(target),
            detail=detail,
            as_of=self.as_of,
        )


def asked(request: Request) -> Asked:
    return Asked(request, request.app.state.desk, run.now())


Ask = Annotated[Asked, Depends(asked)]


def needs(role: str) -> Any:
    """Dependency: the visitor's role includes `role`."""

    def check(request: Request) -> None:
        if not request.state.visitor.may(role):
            raise NotAllowed(role)

    return Depends(check)


def checks_form(
    ask: Ask,
    form_token: Annotated[str | None, Form()] = None,
    x_form_token: Annotated[str | None, Header()] = None,
) -> None:
    """Dependency of every change: the form token, in the form or in a header."""
    if not is_form_token(form_token or x_form_token, ask.session, ask.desk.key):
        raise UsageError("this form is too old or came from elsewhere", "load the page again and repeat it")


def _plain(text: str) -> str:
    # what Postgres cannot store: NUL, and halves of surrogate pairs
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds characters that cannot be stored")
    return text


def _in_time(moment: datetime) -> datetime:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 2199:
        raise ValueError("is not a time of this system (1970 to 2199)")
    return moment.astimezone(UTC)


Plain = Annotated[str, AfterValidator(_plain)]
Words = Annotated[Plain | None, Query(max_length=200)]
Moment = Annotated[datetime, AfterValidator(_in_time)]
SmallId = Annotated[int, InPath(ge=1, le=2**31 - 1)]
BigId = Annotated[int, InPath(ge=1, le=2**63 - 2)]
