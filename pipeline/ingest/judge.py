"""What each item of a prepared document means to the stored articles of its feed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.ingest.articles import Draft, Prepared, Rejected
from pipeline.ingest.identity import Identity, Item, Known, Verdict, judge

Place = tuple[int, bytes]  # (feed_id, key or alias hash)


@dataclass(slots=True)
class Judged:
    """The items of a document by verdict; with the document's rejects they add up to its items.

    `renamed`: those of the unchanged that came under a key that was not known.
    """

    new: list[tuple[bytes, Draft]] = field(default_factory=list)
    revised: list[tuple[int, Draft]] = field(default_factory=list)
    unchanged: int = 0
    renamed: list[tuple[int, Draft]] = field(default_factory=list)
    duplicates: int = 0
    rejects: list[Rejected] = field(default_factory=list)


def wanted_keys(documents: Mapping[int, Prepared]) -> list[Place]:
    """The keys to look up before `judge_document`, those of reused ids included."""
    return [
        (feed_id, key) for feed_id, document in documents.items() for draft in document.drafts
        for key in (draft.item_key, draft.reused_key)
    ]  # fmt: skip


def wanted_aliases(documents: Mapping[int, Prepared], by_key: Mapping[Place, Known]) -> list[Place]:
    """The aliases to look up: of items whose key is not known."""
    return [
        (feed_id, alias) for feed_id, document in documents.items() for draft in document.drafts
        if (feed_id, draft.item_key) not in by_key for _, alias in draft.aliases
    ]  # fmt: skip


def judge_document(
    feed_id: int,
    document: Prepared,
    by_key: Mapping[Place, Known],
    by_alias: Mapping[Place, Sequence[Known]],
    seen_at: datetime,
) -> Judged:
    """New, revised, unchanged or duplicate, for each draft. One article is revised once per document at most."""
    judged = Judged(duplicates=document.duplicates, rejects=list(document.rejects))
    touched: set[int] = set()
    for draft in document.drafts:
        verdict = _verdict(feed_id, draft, by_key, by_alias, seen_at)
        if verdict.article_id is not None and verdict.article_id in touched:
            judged.duplicates += 1
        elif verdict.kind == "new" and verdict.item_key is not None:
            judged.new.append((verdict.item_key, draft))
        elif verdict.kind == "revised" and verdict.article_id is not None:
            judged.revised.append((verdict.article_id, draft))
        else:
            judged.unchanged += 1
            if verdict.article_id is not None and (feed_id, draft.item_key) not in by_key:
                judged.renamed.append((verdict.article_id, draft))
        if verdict.article_id is not None:
            touched.add(verdict.article_id)
    return judged


def _verdict(
    feed_id: int,
    draft: Draft,
    by_key: Mapping[Place, Known],
    by_alias: Mapping[Place, Sequence[Known]],
    seen_at: datetime,
) -> Verdict:
    item = Item(draft.guid, draft.url, draft.title, draft.summary, draft.published_at, draft.published_raw)
    identity = Identity(draft.item_key, draft.content_hash, draft.aliases)
    own_keys = {
        key: by_key[feed_id, key] for key in (draft.item_key, draft.reused_key) if (feed_id, key) in by_key
    }
    own_aliases = {
        alias: by_alias[feed_id, alias] for _, alias in draft.aliases if (feed_id, alias) in by_alias
    }
    return judge(item, identity, own_keys, own_aliases, seen_at)
