"""Articles: what is stored of an item, how it is found again, and the rows that cannot be stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.ingest.articles import Draft, Rejected, event_time, is_late
from pipeline.ingest.grouping import Waiting
from pipeline.ingest.identity import Known
from pipeline.ingest.text import one_line
from pipeline.ingest.titles import says_correction
from pipeline.store.engine import hashes, numbers, sql, texts, times

# Rows per statement: beyond about 1,000 the gain per row is gone and a poison row costs more to find.
BATCH_ROWS = 1_000
SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class NewArticle:
    """A draft on its way into the table. `available_at` None: when it is seen; imports give the published time."""

    feed_id: int
    item_key: bytes
    draft: Draft
    first_seen_at: datetime
    available_at: datetime | None = None


class Stored(NamedTuple):
    """The ids of a stored article and of the story that was set aside for it, if one was."""

    id: int
    story_id: int | None


@dataclass(frozen=True, slots=True)
class Revision:
    """A stored article in another state, or under another name."""

    feed_id: int
    article_id: int
    draft: Draft


def find_by_key(
    connection: Connection, wanted: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], Known]:
    """Stored articles under (feed_id, item_key)."""
    if not wanted:
        return {}
    wanted = list(dict.fromkeys(wanted))
    rows = connection.execute(
        sql("articles_known"),
        {"feed_ids": numbers(feed for feed, _ in wanted), "keys": hashes(key for _, key in wanted)},
    )
    return {(row.feed_id, bytes(row.item_key)): _known(row) for row in rows}


def find_by_alias(
    connection: Connection, wanted: Sequence[tuple[int, bytes]]
) -> dict[tuple[int, bytes], list[Known]]:
    """Stored articles that hold (feed_id, alias hash)."""
    found: dict[tuple[int, bytes], list[Known]] = {}
    if not wanted:
        return found
    wanted = list(dict.fromkeys(wanted))
    rows = connection.execute(
        sql("articles_known_by_alias"),
        {"feed_ids": numbers(feed for feed, _ in wanted), "hashes": hashes(key for _, key in wanted)},
    )
    for row in rows:
        found.setdefault((row.feed_id, bytes(row.alias_hash)), []).append(_known(row))
    return found


def insert_articles(
    connection: Connection, articles: Sequence[NewArticle], *, grouped: bool = False
) -> tuple[dict[tuple[int, bytes], Stored], list[tuple[NewArticle, str]]]:
    """Store articles with their first revisions and aliases.

    `grouped`: each gets the id of a story to be, and the caller groups them before the transaction ends; else they wait
    for a story. Returns what was stored by (feed_id, item_key), without what another run stored meanwhile, and the rows that
    the database refuses, each with the reason: a batch with a poison row is halved until only that row is left out.
    """
    stored: dict[tuple[int, bytes], Stored] = {}
    refused: list[tuple[NewArticle, str]] = []
    for start in range(0, len(articles), BATCH_ROWS):
        _insert_or_halve(connection, articles[start : start + BATCH_ROWS], grouped, stored, refused)
    return stored, refused


def waiting(
    articles: Sequence[NewArticle], stored: Mapping[tuple[int, bytes], Stored]
) -> list[tuple[Waiting, int]]:
    """Those of `articles` that were stored with the id of a story to be, with that id."""
    found: list[tuple[Waiting, int]] = []
    for article in articles:
        ids, draft = stored.get((article.feed_id, article.item_key)), article.draft
        if ids is not None and ids.story_id is not None:
            seen_at, available_at = article.first_seen_at, article.available_at
            history = available_at is not None or is_late(draft.published_at, seen_at, draft.date_status)
            row = Waiting(
                ids.id, draft.source, draft.url_key, draft.title, draft.summary, draft.body, draft.language, seen_at,
                available_at or seen_at, history,
            )  # fmt: skip
            found.append((row, ids.story_id))
    return found


def revise_articles(connection: Connection, revisions: Sequence[Revision], seen_at: datetime) -> None:
    """Add states to stored articles, and the names they came under this time."""
    if not revisions:
        return
    drafts = [revision.draft for revision in revisions]
    connection.execute(
        sql("articles_revise"),
        {
            "article_id": [revision.article_id for revision in revisions],
            "title": [draft.title for draft in drafts],
            "summary": [draft.summary for draft in drafts],
            "body": [draft.body for draft in drafts],
            "content_hash": [draft.content_hash for draft in drafts],
            "is_correction": [says_correction(draft.title, draft.summary) for draft in drafts],
            "seen_at": seen_at,
        },
    )
    _insert_aliases(connection, "articles_insert_aliases", _named(revisions))


def rename_articles(connection: Connection, renamed: Sequence[Revision]) -> None:
    """Add the names under which unchanged articles came, once for each article.

    Some feeds make up all guids anew at every poll: their names would fill the table, and none comes again.
    """
    _insert_aliases(connection, "articles_rename", _named(renamed))


def insert_rejects(
    connection: Connection, rejects: Iterable[tuple[int, Rejected]], seen_at: datetime
) -> None:
    """Store items that could not become articles, with their feeds, in one statement: the feeds are locked meanwhile."""
    rows = [
        (feed_id, reject.reason, one_line(reject.detail, 300), one_line(reject.excerpt, 500))
        for feed_id, reject in rejects
    ]
    if rows:
        columns = zip(
            ("feed_id", "reason", "detail", "excerpt"), map(list, zip(*rows, strict=True)), strict=True
        )
        connection.execute(sql("articles_insert_rejects"), dict(columns) | {"seen_at": seen_at})


def without_full_text(connection: Connection, limit: int) -> list[tuple[int, str]]:
    """(id, url) of new articles whose feed wants the page too."""
    return [
        (row.id, row.url) for row in connection.execute(sql("articles_without_full_text"), {"limit": limit})
    ]


def save_full_texts(connection: Connection, pages: Sequence[tuple[int, str | None, str]]) -> None:
    """(article_id, text or None, flag): the page's text becomes the body of the article and of its first revision."""
    for article_id, text, flag in pages:
        parameters = {"id": article_id, "text": text, "flag": flag}
        connection.execute(
            sa.text(
                "update articles set body = coalesce(:text, body), flags = flags || cast(:flag as text) where id = :id"
            ),
            parameters,
        )
        connection.execute(
            sa.text(
                "update article_revisions set body = coalesce(:text, body) where article_id = :id and revision = 1"
            ),
            parameters,
        )


def _insert_or_halve(
    connection: Connection,
    articles: Sequence[NewArticle],
    grouped: bool,
    stored: dict[tuple[int, bytes], Stored],
    refused: list[tuple[NewArticle, str]],
) -> None:
    try:
        with connection.begin_nested():
            found = _insert(connection, articles, grouped)
    except OperationalError:
        raise
    except (DBAPIError, ValueError) as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        if len(articles) == 1:
            refused.append((articles[0], refusal(error)))
            return
        half = len(articles) // 2
        _insert_or_halve(connection, articles[:half], grouped, stored, refused)
        _insert_or_halve(connection, articles[half:], grouped, stored, refused)
    else:
        stored.update(found)


def _insert(
    connection: Connection, articles: Sequence[NewArticle], grouped: bool
) -> dict[tuple[int, bytes], Stored]:
    rows = [article_row(article) for article in articles]
    columns = {name: _COLUMNS.get(name, texts)([row[name] for row in rows]) for name in rows[0]}
    stored = {
        (feed_id, bytes(item_key)): Stored(id_, story_id)
        for id_, feed_id, item_key, story_id in connection.execute(
            sql("articles_insert"), columns | {"grouped": grouped}
        )
    }
    named = (
        (article.feed_id, known.id, article.draft)
        for article in articles
        if (known := stored.get((article.feed_id, article.item_key)))
    )
    _insert_aliases(connection, "articles_insert_aliases", named)
    return stored


def _named(again: Iterable[Revision]) -> Iterable[tuple[int, int, Draft]]:
    return ((revision.feed_id, revision.article_id, revision.draft) for revision in again)


def _insert_aliases(connection: Connection, statement: str, named: Iterable[tuple[int, int, Draft]]) -> None:
    """Store the other names of (feed_id, article_id, draft); a name that an article of the feed has stays with it."""
    aliases = [
        (feed_id, alias, article_id, kind)
        for feed_id, article_id, draft in named
        for kind, alias in draft.aliases
    ]
    if aliases:
        feed_id, alias_hash, article_id, kind = zip(*aliases, strict=True)
        connection.execute(
            sql(statement),
            {
                "feed_id": numbers(feed_id),
                "alias_hash": hashes(alias_hash),
                "article_id": numbers(article_id),
                "kind": texts(kind),
            },
        )


# How the columns of an article that are no texts are written for articles_insert.sql.
_COLUMNS: dict[str, Callable[[Any], str]] = {
    "feed_id": numbers, "language_p": numbers, "backfilled": numbers, "corrected": numbers,
    "item_key": hashes, "url_key": hashes, "content_hash": hashes,
    "published_at": times, "first_seen_at": times, "event_at": times, "available_at": times,
}  # fmt: skip


def article_row(article: NewArticle) -> dict[str, Any]:
    """The columns of table articles for a draft; lists joined by the unit separator."""
    draft, seen_at = article.draft, article.first_seen_at
    return {
        "feed_id": article.feed_id, "item_key": article.item_key, "guid": draft.guid, "url": draft.url,
        "url_key": draft.url_key, "source": draft.source, "title": draft.title, "summary": draft.summary,
        "body": draft.body, "author": draft.author, "categories": SEPARATOR.join(draft.categories) or None,
        "language": draft.language, "language_p": draft.language_p, "published_raw": draft.published_raw,
        "published_at": draft.published_at, "tz_source": draft.tz_source, "date_status": draft.date_status,
        "first_seen_at": seen_at, "event_at": _event_time(article),
        "available_at": article.available_at or seen_at,
        "backfilled": article.available_at is not None or is_late(draft.published_at, seen_at, draft.date_status),
        "content_hash": draft.content_hash, "corrected": says_correction(draft.title, draft.summary),
        "flags": SEPARATOR.join(draft.flags) or None,
    }  # fmt: skip


def _event_time(article: NewArticle) -> datetime:
    draft, seen_at = article.draft, article.first_seen_at
    if draft.published_at is None:
        return event_time(article.available_at, seen_at)
    return event_time(draft.published_at, seen_at, draft.date_status)


def refusal(error: Exception) -> str:
    """Why the database did not take a row, in one line."""
    original = getattr(error, "orig", None) or error
    return one_line(f"{type(original).__name__}: {original}", 300)


def _known(row: Row[Any]) -> Known:
    hashes = frozenset(bytes(value) for value in row.hashes) if row.hashes else frozenset()
    return Known(
        row.id,
        bytes(row.item_key),
        row.title,
        bytes(row.content_hash),
        row.published_at,
        row.first_seen_at,
        row.revision,
        hashes,
    )
