"""A small newsroom in Postgres for tests of labels and retraining: feeds, articles that are stories, companies, scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from pipeline.store import models

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def add_feed(engine: Engine, name: str = "wire", **columns) -> int:
    values = {"name": name, "url": f"https://{name}.example/rss", "added_at": NOW, **columns}
    names = ", ".join(values)
    with engine.begin() as connection:
        return connection.execute(
            sa.text(
                f"insert into feeds ({names}) values ({', '.join(':' + n for n in values)}) returning id"
            ),
            values,
        ).scalar_one()


def add_company(engine: Engine, name: str, ticker: str | None = None, aliases: Sequence[str] = ()) -> int:
    with engine.begin() as connection:
        return connection.execute(
            sa.text(
                "insert into companies (name, ticker, aliases, added_at) values (:name, :ticker, :aliases, :at) returning id"
            ),
            {"name": name, "ticker": ticker, "aliases": list(aliases), "at": NOW},
        ).scalar_one()


def add_articles(
    engine: Engine, feed_id: int, texts: Iterable[str], *, at: datetime = NOW - timedelta(days=1), gap=60
) -> list[int]:
    """One article with a story of its own per text (title, newline, summary), `gap` seconds apart; their ids."""
    ids = []
    with engine.begin() as connection:
        for number, text in enumerate(texts):
            title, _, summary = text.partition("\n")
            moment = at + timedelta(seconds=gap * number)
            digest = hashlib.blake2b(f"{feed_id}:{text}".encode(), digest_size=16).digest()
            values = {
                "feed": feed_id,
                "key": digest,
                "guid": f"g-{feed_id}-{digest.hex()[:6]}",
                "url": f"https://wire.example/{digest.hex()}",
                "title": title,
                "summary": summary,
                "at": moment,
                "text": text,
            }
            article = connection.execute(
                sa.text(
                    "insert into articles (feed_id, item_key, guid, url, source, title, summary, language, first_seen_at, event_at,"
                    " available_at, content_hash) values (:feed, :key, :guid, :url, 'Wire', :title, :summary, 'en', :at, :at, :at, :key)"
                    " returning id"
                ),
                values,
            ).scalar_one()
            connection.execute(
                sa.text(
                    "with story as (insert into stories (first_article_id, title, text, text_hash, language, first_seen_at,"
                    " available_at, last_seen_at) values (:article, :title, :text, :key, 'en', :at, :at, :at) returning id)"
                    " update articles set story_id = (select id from story), story_match = 'first' where id = :article"
                ),
                {**values, "article": article},
            )
            ids.append(article)
    return ids


def mention(engine: Engine, article_id: int, company_id: int, spans: list[list[int]]) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("insert into mentions values (:article, :company, 1.0, true, 1, cast(:spans as jsonb))"),
            {"article": article_id, "company": company_id, "spans": str(spans)},
        )


def add_model(
    engine: Engine, version: str = "m1", at: datetime = NOW - timedelta(days=30), champion: bool = True
) -> int:
    with engine.begin() as connection:
        stored = models.register_model(connection, version=version, path="nowhere", manifest={}, as_of=at)
        if champion:
            models.point_alias(connection, version, by="test", reason="first", as_of=at)
        return stored.id


def score(
    engine: Engine,
    model_id: int,
    article_id: int,
    probabilities: tuple[float, float, float],
    *,
    topic: str = "markets",
    at: datetime = NOW,
) -> None:
    negative, neutral, positive = probabilities
    best = max(zip(probabilities, ("negative", "neutral", "positive"), strict=True))[1]
    values = {
        "article": article_id,
        "model": model_id,
        "at": at,
        "n": negative,
        "u": neutral,
        "p": positive,
        "s": best,
        "topic": topic,
    }
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into scores select story_id, :model, :at, :n, :u, :p, :s, content_hash from articles where id = :article"
            ),
            values,
        )
        connection.execute(
            sa.text(
                "insert into score_topics select story_id, :model, :topic, 0.9 from articles where id = :article"
            ),
            values,
        )
