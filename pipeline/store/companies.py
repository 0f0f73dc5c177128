"""The watch list in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from pipeline.ingest.mentions import Watched
from pipeline.store.engine import sql


def watched(connection: Connection) -> list[Watched]:
    """Companies that are matched now."""
    rows = connection.execute(sa.text("select * from companies where enabled order by id"))
    return [
        Watched(
            row.id, row.name, row.ticker, tuple(row.aliases), tuple(row.negative_contexts),
            bool(row.match.get("common")), bool(row.match.get("exact_case")),
        )
        for row in rows
    ]  # fmt: skip


def list_companies(connection: Connection) -> list[Row[Any]]:
    """Every company with the number of its mentions."""
    return list(
        connection.execute(
            sa.text(
                "select c.*, (select count(*) from mentions as m where m.company_id = c.id) as mentions"
                " from companies as c order by c.name"
            )
        )
    )


def sync(
    connection: Connection, companies: Sequence[Mapping[str, Any]], as_of: datetime, *, origin: str = "file"
) -> dict[str, int]:
    """Make the companies of an origin those of the list; one that left it is disabled, its history stays."""
    counts = {"added": 0, "changed": 0, "kept": 0}
    if origin != "file":
        companies = _without_ours(connection, companies)
    for company in companies:
        counts[save_company(connection, company, as_of, origin=origin)] += 1
    names = [company["name"] for company in companies]
    gone = connection.execute(
        sa.text(
            "update companies set enabled = false where enabled and origin = :origin and not name = any(cast(:names as text[]))"
        ),
        {"origin": origin, "names": names},
    )
    return counts | {"disabled": gone.rowcount}


def _without_ours(connection: Connection, companies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that neither companies.toml nor a person named already, by name or ticker: hand-made entries are better."""
    rows = connection.execute(
        sa.text("select name, ticker from companies where origin in ('file', 'desk')")
    ).all()
    names, tickers = {row.name for row in rows}, {row.ticker for row in rows if row.ticker}
    return [
        company
        for company in companies
        if company["name"] not in names and company.get("ticker") not in tickers
    ]


def save_company(connection: Connection, company: Mapping[str, Any], as_of: datetime, *, origin: str) -> str:
    """Insert or update one company by name: added, changed or kept."""
    match = {key: True for key in ("common", "exact_case") if company.get(key)}
    row = connection.execute(
        sql("companies_save"),
        {
            "name": company["name"], "ticker": company.get("ticker"), "sector": company.get("sector"),
            "aliases": list(company.get("aliases") or ()), "negative_contexts": list(company.get("negative_contexts") or ()),
            "match": json.dumps(match), "origin": origin, "as_of": as_of,
        },
    ).one_or_none()  # fmt: skip
    if row is None:
        return "kept"
    return "added" if row.added else "changed"
