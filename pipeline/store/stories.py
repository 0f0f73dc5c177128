"""Stories: articles that wait for theirs, candidates for it, and the rows that a grouped batch leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row

from pipeline.ingest.grouping import Waiting
from pipeline.ingest.mentions import Mention
from pipeline.ingest.stories import BANDS, CANDIDATE_LIMIT, WINDOW
from pipeline.store.engine import hashes, numbers, sql, texts, times

# Two runs that group at once would each begin a story with their copy of it; grouping is short, so they take turns.
GROUPING_LOCK = 0x5708155
# Held by those who need copy keys of any age.
KEYS_LOCK = 0x5708156
# Rows read per band: a template used by thousands of articles must not cost more than this.
BAND_LIMIT = 8
ROADS = ("url", "title", "near_copy")
# The MinHash bands and the folded title.
KEY_COUNT = BANDS + 1


@dataclass(frozen=True, slots=True)
class Keys:
    """Under which keys an article looks for its story: one per band and that of the folded title, and its link."""

    own: Sequence[int | None]
    url_key: bytes | None
    available_at: datetime


@dataclass(frozen=True, slots=True)
class FoundStory:
    """A candidate; `road` is url, title or near_copy."""

    story_id: int
    road: str
    title: str
    text: str
    available_at: datetime


@dataclass(frozen=True, slots=True)
class NewStory:
    """A story that begins with an article."""

    id: int
    article: Waiting
    text: str
    text_hash: bytes


def lock_grouping(connection: Connection) -> None:
    """Wait for our turn; held until the transaction ends."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:key)"), {"key": GROUPING_LOCK})


@contextmanager
def hold_pages(engine: Engine) -> Iterator[bool]:
    """True while this process is the only one that fetches article pages, which stories wait for; False when another is at it.

    The lock ends with its transaction, also when the process dies.
    """
    with engine.begin() as connection:
        got = connection.execute(sa.text("select pg_try_advisory_xact_lock(hashtextextended('pages', 0))"))
        yield bool(got.scalar_one())


def ungrouped(connection: Connection, limit: int) -> list[Waiting]:
    """Articles that wait for a story, in the order they were stored; a killed run leaves some."""
    rows = connection.execute(sql("stories_ungrouped"), {"limit": limit})
    return [Waiting(id_, source, _bytes(url_key), *rest) for id_, source, url_key, *rest in rows]


def any_ungrouped(connection: Connection) -> bool:
    """Whether an article waits for a story."""
    return bool(ungrouped(connection, 1))


def candidates(
    connection: Connection, wanted: Sequence[Keys], own: Sequence[int] = (), window: timedelta = WINDOW
) -> list[list[FoundStory]]:
    """For each of `wanted`, stored stories that share a key with it, the most promising first; none of `own`."""
    links = [(n, keys.url_key) for n, keys in enumerate(wanted) if keys.url_key]
    parameters = {
        "at": times([keys.available_at for keys in wanted]),
        "hashes": numbers(key for keys in wanted for key in keys.own),
        "key_count": KEY_COUNT,
        "url_n": numbers(n for n, _ in links),
        "url_key": hashes(key for _, key in links),
        "own": numbers(own),
        "window": window,
        "limit": CANDIDATE_LIMIT,
        "band_limit": BAND_LIMIT,
    }
    found: list[list[FoundStory]] = [[] for _ in wanted]
    for row in connection.execute(sql("stories_candidates"), parameters):
        found[row.n].append(FoundStory(row.story_id, ROADS[row.road], row.title, row.text, row.available_at))
    return found


def next_ids(connection: Connection, count: int) -> list[int]:
    """Ids for stories to be."""
    query = "select nextval('stories_id_seq') from generate_series(1, :count)"
    return list(connection.execute(sa.text(query), {"count": count}).scalars())


def insert_stories(connection: Connection, stories: Sequence[NewStory]) -> None:
    """Store stories; `insert_keys` makes them candidates for later copies."""
    if not stories:
        return
    connection.execute(
        sql("stories_insert"),
        {
            "id": numbers(story.id for story in stories),
            "article_id": numbers(story.article.id for story in stories),
            "title": texts([story.article.title for story in stories]),
            "text": texts([story.text for story in stories]),
            "text_hash": hashes(story.text_hash for story in stories),
            "language": texts([story.article.language for story in stories]),
            "first_seen_at": times([story.article.first_seen_at for story in stories]),
            "available_at": times([story.article.available_at for story in stories]),
            "backfilled": numbers(story.article.backfilled for story in stories),
        },
    )


def delete_stories(connection: Connection, story_ids: Sequence[int]) -> None:
    """Take back stories that this transaction stored and no article belongs to."""
    if story_ids:
        connection.execute(
            sa.text("delete from stories where id = any(cast(:ids as bigint[]))"), {"ids": numbers(story_ids)}
        )


def insert_keys(connection: Connection, found: Sequence[tuple[int, Sequence[int | None], datetime]]) -> None:
    """Store (story_id, keys, available_at): under what later copies find a story."""
    if not found:
        return
    connection.execute(
        sql("stories_insert_keys"),
        {
            "hashes": numbers(key for _, keys, _ in found for key in keys),
            "key_count": KEY_COUNT,
            "story_id": numbers(story_id for story_id, _, _ in found),
            "seen_at": times([at for _, _, at in found]),
        },
    )


def merge_search(engine: Engine) -> None:
    """Merge what gathered for the full-text index, if the index is ours: 0.15 s for 10,000 stories, which no transaction that
    stores articles has to spend then."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "select gin_clean_pending_list(oid) from pg_class where oid = cast('stories_search' as regclass)"
                " and pg_has_role(relowner, 'usage')"
            )
        )


def any_keys(connection: Connection) -> bool:
    """Whether any story has its keys."""
    return bool(connection.execute(sa.text("select exists (select from story_keys)")).scalar_one())


def keyless(
    connection: Connection, after: int, window: timedelta, limit: int, own: Sequence[int] = ()
) -> list[Waiting]:
    """The stories of the newest `window` from id `after` on but for `own`, each as the article that began it, under the story's id."""
    parameters = {"after": after, "window": window, "limit": limit, "own": numbers(own)}
    rows = connection.execute(sql("stories_keyless"), parameters)
    return [Waiting(id_, source, _bytes(url_key), *rest) for id_, source, url_key, *rest in rows]


def join_articles(connection: Connection, joined: Sequence[tuple[int, int, str]]) -> None:
    """(article_id, story_id, road) for articles of a batch; stories that grew are counted anew."""
    if not joined:
        return
    connection.execute(sql("stories_join"), _columns(("article_id", "story_id", "road"), joined))
    grown = sorted({story_id for _, story_id, road in joined if road != "first"})
    if grown:
        connection.execute(sql("stories_recount"), {"story_ids": grown})


def insert_mentions(connection: Connection, mentions: Iterable[tuple[int, Mention]]) -> None:
    """Store companies found in articles: (article_id, mention)."""
    rows = [
        (article_id, found.company_id, found.relevance, found.in_title, found.hits, json.dumps(found.spans))
        for article_id, found in mentions
    ]
    if rows:
        names = ("article_id", "company_id", "relevance", "in_title", "hits", "spans")
        connection.execute(sql("stories_insert_mentions"), _columns(names, rows))


def insert_novelties(connection: Connection, rows: Sequence[tuple[int, int, tuple[float, ...]]]) -> None:
    """Store (story_id, company_id, shares by horizon)."""
    if rows:
        flat = [(story_id, company_id, *shares) for story_id, company_id, shares in rows]
        connection.execute(
            sql("stories_insert_novelties"),
            _columns(("story_id", "company_id", "n0", "n1", "n2", "n3", "n4"), flat),
        )


def texts_of_companies(connection: Connection, company_ids: Sequence[int], since: datetime) -> list[Row[Any]]:
    """(company_id, available_at, text) of stories since then, oldest first."""
    return list(
        connection.execute(sql("stories_of_companies"), {"company_ids": list(company_ids), "since": since})
    )


@contextmanager
def keep_keys(connection: Connection) -> Iterator[None]:
    """No other session forgets copy keys while this lasts: those of an archive are as old as its articles.

    The lock belongs to the session, which may commit meanwhile; it ends with it when something fails.
    """
    connection.execute(sa.text("select pg_advisory_lock_shared(:key)"), {"key": KEYS_LOCK})
    connection.commit()
    try:
        yield
    except BaseException:
        connection.invalidate()
        raise
    connection.execute(sa.text("select pg_advisory_unlock_shared(:key)"), {"key": KEYS_LOCK})
    connection.commit()


def forget_keys(connection: Connection, before: datetime) -> int:
    """Drop copy keys that no article can meet any more; none while another session keeps them."""
    alone = connection.execute(sa.text("select pg_try_advisory_xact_lock(:key)"), {"key": KEYS_LOCK})
    if not alone.scalar_one():
        return 0
    return connection.execute(
        sa.text("delete from story_keys where seen_at < :before"), {"before": before}
    ).rowcount


def _columns(names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
