"""Labels and the labelling queue. A person has one label in force per article and target; a newer one replaces it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from model.labels import LABEL_SCHEMA_VERSION
from pipeline.label.agreement import Vote
from pipeline.label.queue import Candidate, Queued, uncertainty
from pipeline.label.records import ArticleRef, StoredLabel
from pipeline.label.schema import RENAMES, Rename, bring_up_to_date
from pipeline.store.engine import sql

# Stories that one filling of the queue looks at, the newest first: two weeks of a busy installation.
CANDIDATES = 50_000
# Mixed into the fixed random number of each story; another word is another draw.
SALT = "undertow:"


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label to store: `sentiment` for target story or company, `topics` for target topics."""

    article_id: int
    target: str
    labelled_by: str
    labelled_at: datetime
    origin: str
    company_id: int | None = None
    sentiment: str | None = None
    topics: tuple[str, ...] | None = None
    schema_version: int = LABEL_SCHEMA_VERSION
    queue_reason: str | None = None
    confidence: float | None = None
    note: str = ""

    @property
    def thing(self) -> tuple[int, str, int | None, str]:
        return (self.article_id, self.target, self.company_id, self.labelled_by)


@dataclass(slots=True)
class Written:
    """What became of labels: stored for the first time, in place of an older one, said before, older than what stands."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    outdated: int = 0


def write_labels(connection: Connection, labels: Iterable[NewLabel], as_of: datetime) -> Written:
    """Stores labels and takes their articles off the queue, in the caller's transaction; doing it again changes nothing."""
    newest: dict[tuple[int, str, int | None, str], NewLabel] = {}
    for label in sorted(labels, key=lambda one: one.labelled_at):
        newest[label.thing] = label
    given = list(newest.values())
    people = sorted({label.labelled_by for label in given})
    connection.execute(sql("labels_lock"), {"people": people})
    known = _known(connection, given)
    written, inserts, replaced = Written(), [], []
    for place, label in enumerate(given):
        old = known.get(place)
        if old is None:
            written.new += 1
        elif _same(old, label):
            written.unchanged += 1
            continue
        # one in force that an older import dated in the future counts as said now: no later one would ever count
        elif min(old.labelled_at, as_of) > label.labelled_at:
            written.outdated += 1
            continue
        else:
            written.replaced += 1
            replaced.append(old.id)
        inserts.append(label)
    _retract(connection, replaced, as_of)
    # those missing were stored meanwhile by somebody's own SQL, which takes no lock
    missing = len(inserts) - _insert(connection, inserts)
    written.new, written.outdated = written.new - missing, written.outdated + missing
    _mark_done(connection, inserts, as_of)
    return written


def _known(connection: Connection, labels: Sequence[NewLabel]) -> dict[int, Any]:
    keys = [
        {
            "place": place,
            "article_id": label.article_id,
            "target": label.target,
            "company_id": label.company_id,
            "labelled_by": label.labelled_by,
        }
        for place, label in enumerate(labels)
    ]
    return {row.place: row for row in connection.execute(sql("labels_known"), {"labels": json.dumps(keys)})}


def _same(old: Any, label: NewLabel) -> bool:
    return old.sentiment == label.sentiment and sorted(old.topics or ()) == sorted(label.topics or ())


def _retract(connection: Connection, ids: Sequence[int], as_of: datetime) -> None:
    if ids:
        statement = sa.text("update labels set retracted_at = :as_of where id = any(:ids)")
        connection.execute(statement, {"as_of": as_of, "ids": list(ids)})


def _insert(connection: Connection, labels: Sequence[NewLabel]) -> int:
    rows = [asdict(label) for label in labels]
    given = {"labels": json.dumps(rows, default=datetime.isoformat)}
    return connection.execute(sql("labels_insert"), given).rowcount


def _mark_done(connection: Connection, labels: Sequence[NewLabel], as_of: datetime) -> None:
    connection.execute(
        sa.text("update label_queue set done_at = :as_of where article_id = any(:ids) and done_at is null"),
        {"as_of": as_of, "ids": sorted({label.article_id for label in labels if label.target == "story"})},
    )


def resolve_articles(connection: Connection, refs: Sequence[ArticleRef]) -> list[int | str]:
    """For each reference the article's id, or why there is none, in words."""
    rows = [{"place": place, **asdict(ref)} for place, ref in enumerate(refs)]
    out: list[int | str] = [f"{ref} is not stored" for ref in refs]
    for row in connection.execute(sql("labels_resolve"), {"refs": json.dumps(rows)}):
        out[row.place] = (
            row.article_id if row.articles == 1 else f"{refs[row.place]} names {row.articles} articles"
        )
    return out


def company_names(connection: Connection) -> dict[str, int]:
    """Every name, alias and ticker of the watch list, folded, to the company's id; a name beats an alias."""
    names: dict[str, int] = {}
    rows = connection.execute(sa.text("select id, name, ticker, aliases from companies order by id")).all()
    for row in rows:
        for word in (*row.aliases, row.ticker, f"${row.ticker}" if row.ticker else None):
            if word:
                names.setdefault(word.casefold(), row.id)
    return names | {row.name.casefold(): row.id for row in rows}


def read_labels(
    connection: Connection,
    *,
    queue: bool = False,
    labelled_by: str | None = None,
    since: datetime | None = None,
) -> list[StoredLabel]:
    """Labels in force with their texts, oldest first; with `queue` the articles that wait, in order, without labels."""
    rows = connection.execute(
        sql("labels_export"), {"queue": queue, "labelled_by": labelled_by, "since": since}
    )
    return [_stored(row) for row in rows]


def _stored(row: Any) -> StoredLabel:
    values = dict(row._mapping)
    values["mentions"] = tuple(
        (name, tuple((start, end) for start, end in spans)) for name, spans in row.mentions
    )
    values["topics"] = tuple(row.topics) if row.topics is not None else None
    label = StoredLabel(**values)
    return bring_up_to_date(label, row.schema_version) if row.target else label


def read_votes(connection: Connection, *, shared: bool = False) -> dict[str, list[Vote]]:
    """Target -> verdicts in force; with `shared` only where several people labelled the same. A set of topics is one verdict."""
    votes: dict[str, list[Vote]] = {"story": [], "company": [], "topics": []}
    for row in connection.execute(sql("labels_votes"), {"shared": shared}):
        verdict = ",".join(sorted(row.verdict.split(","))) if row.target == "topics" else row.verdict
        votes[row.target].append(Vote((row.article_id, row.company_id), row.labelled_by, verdict))
    return votes


def migrate_labels(connection: Connection, renames: Sequence[Rename] = RENAMES) -> int:
    """Rewrites labels of older schema versions in the words of the newest; returns how many. Run it once after an upgrade."""
    newest = max([LABEL_SCHEMA_VERSION, *(rename.version for rename in renames)])
    rows = connection.execute(
        sa.text(
            "select id, sentiment, topics, schema_version from labels where schema_version < :newest for update"
        ),
        {"newest": newest},
    ).all()
    update = sa.text(
        "update labels set sentiment = :sentiment, topics = :topics, schema_version = :version where id = :id"
    )
    for row in rows:
        label = NewLabel(0, "", "", datetime.min, "", sentiment=row.sentiment, topics=_tuple(row.topics))  # noqa: DTZ901
        new = bring_up_to_date(label, row.schema_version, renames)
        topics = list(new.topics) if new.topics is not None else None
        connection.execute(
            update, {"id": row.id, "sentiment": new.sentiment, "topics": topics, "version": newest}
        )
    return len(rows)


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


# ---- the queue


def queue_candidates(
    connection: Connection, model_version_id: int, since: datetime, as_of: datetime
) -> list[Candidate]:
    """Stories of the period that the version has read, each once; those drawn at random before are left out."""
    rows = connection.execute(
        sql("label_queue_candidates"),
        {
            "model_version_id": model_version_id,
            "since": since,
            "as_of": as_of,
            "salt": SALT,
            "limit": CANDIDATES,
        },
    )
    return [
        Candidate(
            article_id=row.article_id,
            story_id=row.story_id,
            uncertainty=uncertainty((row.negative, row.neutral, row.positive)),
            point=row.point,
            alert=row.alert,
            drift=row.drift,
            asked=row.asked,
            frozen=row.frozen,
        )
        for row in rows
        if not row.drawn
    ]


def read_scored_labels(
    connection: Connection, model_version_id: int
) -> list[tuple[int, int, str, tuple[float, float, float]]]:
    """(article, story, sentiment given, the version's probabilities) of every story label in force."""
    rows = connection.execute(sql("labels_scored"), {"model_version_id": model_version_id})
    return [
        (row.article_id, row.story_id, row.sentiment, (row.negative, row.neutral, row.positive))
        for row in rows
    ]


def frozen_stories(connection: Connection) -> set[int]:
    """Stories with an article that is kept for evaluation."""
    query = "select a.story_id from frozen_articles f join articles a on a.id = f.article_id where a.story_id is not null"
    return set(connection.execute(sa.text(query)).scalars())


def enqueue(connection: Connection, items: Sequence[Queued], since: datetime, as_of: datetime) -> int:
    """Puts articles into the queue and closes places that need no label; returns how many are new or changed."""
    rows = [asdict(item) for item in items]
    count = connection.execute(
        sql("label_queue_insert"), {"items": json.dumps(rows), "as_of": as_of}
    ).rowcount
    connection.execute(sql("label_queue_drawn"))
    settle(connection, since, as_of)
    return count


def settle(connection: Connection, since: datetime, as_of: datetime) -> None:
    """Closes places that need no label; what somebody skipped before `since` waits no longer for others."""
    connection.execute(sql("label_queue_settle"), {"since": since, "as_of": as_of})


def open_places(connection: Connection) -> dict[str, int]:
    """Articles that wait to be labelled, by reason."""
    rows = connection.execute(
        sa.text("select reason, count(*) as n from label_queue where done_at is null group by 1 order by 1")
    )
    return {row.reason: row.n for row in rows}


def open_articles(connection: Connection) -> set[int]:
    """Articles that wait to be labelled."""
    return set(
        connection.execute(sa.text("select article_id from label_queue where done_at is null")).scalars()
    )


def count_unanswered(connection: Connection) -> int:
    """Open places that whoever comes is shown: neither skipped nor labelled by anybody, nor kept for evaluation."""
    return int(connection.execute(sql("label_queue_unanswered")).scalar_one())
