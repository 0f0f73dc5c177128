"""Which item is which article."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ingest.articles import FeedOptions, Prepared, event_time, is_late, prepare
from pipeline.ingest.identity import (
    REVISION_LIMIT,
    Identity,
    Item,
    Known,
    content_hash,
    degraded_policy,
    identities,
    judge,
)
from pipeline.ingest.parse import ParsedFeed, ParsedItem

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def item(
    guid: str | None = "g",
    link: str | None = "https://e.com/1",
    title: str = "Acme opens a plant in Ohio",
    text: str = "t",
    at: datetime | None = NOW,
) -> Item:
    return Item(guid, link, title, text, at, at.isoformat() if at else None)


def known(of: Item, identity: Identity, **changes: object) -> Known:
    fields = {"article_id": 7, "item_key": identity.item_key, "title": of.title, "content_hash": identity.content_hash,
              "published_at": of.published_at, "first_seen_at": NOW, "revision": 1}  # fmt: skip
    return Known(**(fields | changes))  # type: ignore[arg-type]


def test_every_item_has_a_key_and_different_items_differ() -> None:
    items = [
        item(),
        item("h"),
        item(None, "https://e.com/3"),
        item(None, None, "Another"),
        item(None, None, at=None),
        item(None, None, "", "other", None),
        item(None, "https://e.com/2"),
    ]
    assert len({identity.item_key for identity in identities(items)}) == len(items)


def test_a_shared_guid_identifies_nobody_in_any_order() -> None:
    one, other = item("same", "https://e.com/1", "One"), item("same", "https://e.com/2", "Two")
    forward, backward = identities([one, other]), identities([other, one])
    assert [i.item_key for i in forward] == [i.item_key for i in reversed(backward)]
    assert forward[0].item_key != forward[1].item_key
    assert not any(kind == "guid" for kind, _ in forward[0].aliases)


def test_guids_that_collide_too_often_are_given_up() -> None:
    good = [item(f"g{n}") for n in range(100)]
    assert degraded_policy(good, "guid") == "guid"
    bad = [item("same", f"https://e.com/{n}") for n in range(20)]
    assert degraded_policy(bad, "guid") == "link"
    few = [item(f"g{max(n, 5)}") for n in range(100)]  # five of a hundred have that of another
    assert degraded_policy(few, "guid") == "guid"


def test_the_same_text_is_unchanged_another_is_revised() -> None:
    before = item()
    (identity,) = identities([before])
    stored = known(before, identity)
    assert judge(before, identity, {identity.item_key: stored}, {}, NOW).kind == "unchanged"
    after = item(text="the text grew")
    (edited,) = identities([after])
    assert judge(after, edited, {edited.item_key: stored}, {}, NOW).kind == "revised"


def test_a_text_that_flips_back_and_a_page_that_never_rests_are_unchanged() -> None:
    (identity,) = identities([item(text="second")])
    flipped = known(
        item(), identity, content_hash=b"x", hashes=frozenset([identity.content_hash]), revision=2
    )
    restless = known(item(), identity, content_hash=b"x", revision=REVISION_LIMIT)
    for stored in (flipped, restless):
        assert judge(item(text="second"), identity, {identity.item_key: stored}, {}, NOW).kind == "unchanged"


def test_counters_and_clocks_are_not_edits() -> None:
    assert content_hash("t", "Rates rise. 12 comments, 5 minutes ago") == content_hash(
        "t", "Rates rise.  240 comments, an hour ago"
    )
    assert content_hash("t", "Rates rise 12%") != content_hash("t", "Rates rise 13%")


def test_a_new_guid_on_the_same_page_is_the_same_article() -> None:
    before, after = item("http://e.com/?p=1"), item("https://e.com/?p=1")
    (old,), (new,) = identities([before]), identities([after])
    aliases = {alias: [known(before, old)] for _, alias in old.aliases}
    assert judge(after, new, {}, aliases, NOW).article_id == 7


@pytest.mark.parametrize(("guid", "named"), [("https://e.com/news/2026/1", True), ("https://e.com/1", False)])
def test_what_follows_the_host_of_a_guid_names_an_item_unless_it_is_short(guid: str, named: bool) -> None:
    (identity,) = identities([item(guid)])
    assert any(kind == "guid_path" for kind, _ in identity.aliases) == named


def under_another_name(before: Item, after: Item, *others: Known) -> str:
    """What `after` is where `before` is stored under another key; `others` have its aliases too."""
    (old,), (new,) = identities([before]), identities([after])
    aliases = {alias: [known(before, old), *others] for _, alias in old.aliases}
    return judge(after, new, {}, aliases, NOW).kind


def test_a_page_that_says_nearly_the_same_days_later_is_a_new_article() -> None:
    before = item("a", title="Acme opens a plant in Ohio")
    assert under_another_name(before, item("b", text="more", at=NOW + DAY)) == "revised"
    assert under_another_name(before, item("b", text="more", at=NOW + 3 * DAY)) == "new"


def test_a_headline_alone_brings_back_the_very_same_text_only() -> None:
    before = item("a", "https://e.com/1")
    assert under_another_name(before, item("b", "https://e.com/2")) == "unchanged"
    assert under_another_name(before, item("b", "https://e.com/2", text="another")) == "new"
    short = item("a", "https://e.com/1", title="Market update")
    assert under_another_name(short, item("b", "https://e.com/2", title="Market update")) == "new"


def test_a_name_that_two_articles_have_brings_back_neither() -> None:
    before, other = item("a"), item("c")
    (identity,) = identities([other])
    assert under_another_name(before, item("b")) == "unchanged"
    assert under_another_name(before, item("b"), known(other, identity, article_id=8)) == "new"


def test_a_headline_rewritten_the_same_day_is_a_revision() -> None:
    before, after = (
        item(title="Acme opens a plant in Ohio"),
        item(title="Unions strike at Acme's new factory"),
    )
    corrected = item(at=NOW - 3 * DAY, text="with the right date")
    (old,) = identities([before])
    for now_said in (after, corrected):
        (new,) = identities([now_said])
        assert judge(now_said, new, {new.item_key: known(before, old)}, {}, NOW).kind == "revised"


def test_a_page_that_several_items_link_to_identifies_none() -> None:
    items = [item(None, "https://e.com/all", f"Title number {n} of them") for n in range(2)]
    found = identities(items)
    assert found[0].item_key != found[1].item_key
    assert not any(kind == "link" for identity in found for kind, _ in identity.aliases)


def test_the_same_page_with_other_news_is_a_new_article() -> None:
    before, after = item("a", title="Market update 10:00"), item("b", title="Market update 11:00")
    (old,), (new,) = identities([before]), identities([after])
    aliases = {alias: [known(before, old)] for _, alias in old.aliases}
    assert judge(after, new, {}, aliases, NOW).kind == "new"


def test_an_id_that_is_used_again_next_month_is_a_new_article() -> None:
    october, november = (
        item(title="Prices rise 0.2% in September", at=NOW - 30 * DAY),
        item(title="Prices rise 0.4% in October"),
    )
    (old,), (new,) = identities([october]), identities([november])
    verdict = judge(november, new, {new.item_key: known(october, old)}, {}, NOW)
    assert verdict.kind == "new"
    assert verdict.item_key not in (None, old.item_key)
    stored = known(november, new, item_key=verdict.item_key, article_id=8)
    again = judge(november, new, {new.item_key: known(october, old), verdict.item_key: stored}, {}, NOW)  # type: ignore[dict-item]
    assert (again.kind, again.article_id) == ("unchanged", 8)


@pytest.mark.parametrize(
    "counts",
    ["5 views", "12 Comments", "1234567likes", "5分钟前", "阅读 (12)", "评论12", "٣٤ reads", "1.22 shares"],
)
@pytest.mark.parametrize("text", ["opens a plant", "baut für Ohio"])
def test_counts_are_no_part_of_what_an_item_says(counts: str, text: str) -> None:
    kept = "1." if counts == "1.22 shares" else ""
    assert content_hash("Acme", f"{text} {counts}") == content_hash("Acme", f"{text} {kept}")


@pytest.mark.parametrize("text", ["1" * 64_000 + " é", "٣" * 64_000, "1" * 64_000 + " 5 views"])
def test_a_long_run_of_digits_takes_no_longer_than_it_is(text: str) -> None:
    """From each of its digits to its end would be two billion steps, minutes; this is some milliseconds."""
    began = time.process_time()
    content_hash("t", text)
    assert time.process_time() - began < 1


def prepared(*items: ParsedItem, **options: object) -> Prepared:
    return prepare(ParsedFeed("Outlet", items=items), FeedOptions(**options), "https://e.com/feed", NOW)  # type: ignore[arg-type]


def test_the_conservation_law_begins_here() -> None:
    result = prepared(
        ParsedItem("1", title="One"), ParsedItem("1", title="One"), ParsedItem(), ParsedItem("2", title="Two")
    )
    assert (len(result.drafts), result.duplicates, len(result.rejects), result.seen) == (2, 1, 1, 4)
    assert result.rejects[0].reason == "empty"


def test_lost_items_share_one_reject() -> None:
    result = prepare(ParsedFeed(items=(ParsedItem(title="News"),), lost=300_000), FeedOptions(), "", NOW)
    assert (len(result.rejects), result.rejected, result.seen) == (1, 300_000, 300_001)
    assert "300000" in result.rejects[0].detail


def test_licence_keeps_titles_and_links_only() -> None:
    (draft,) = prepared(
        ParsedItem("1", "https://e.com/1", "Title", "Summary", "Body"), may_store_body=False
    ).drafts
    assert (draft.title, draft.summary, draft.body) == ("Title", "", None)


def test_an_item_without_title_is_named_by_its_text() -> None:
    (draft,) = prepared(ParsedItem("1", summary="Acme opens a plant. " * 20)).drafts
    assert draft.title.startswith("Acme opens a plant.")
    assert len(draft.title) <= 100
    assert "no_title" in draft.flags


def test_a_page_that_lists_many_items_names_none() -> None:
    drafts = prepared(
        *[ParsedItem(str(n), "https://e.com/all", f"Title number {n} of many") for n in range(3)]
    ).drafts
    assert [draft.url_key for draft in drafts] == [None] * 3


def dated(*raws: str) -> Prepared:
    return prepared(
        *[ParsedItem(str(n), title=f"News number {n}", published_raw=raw) for n, raw in enumerate(raws)]
    )


MIDNIGHT, BEFORE, OLD = (f"{day} Nov 2026 00:00:00 GMT" for day in (23, 22, 3))


def test_a_document_that_writes_midnight_for_the_day_has_days_without_an_hour() -> None:
    today, yesterday, old = dated(MIDNIGHT, BEFORE, OLD).drafts
    assert {draft.date_status for draft in (today, yesterday, old)} == {"date_only"}
    at = NOW.replace(hour=10)
    assert not is_late(today.published_at, at, today.date_status)
    assert event_time(today.published_at, at, today.date_status) == at
    assert not is_late(yesterday.published_at, at.replace(hour=6), yesterday.date_status)
    assert is_late(yesterday.published_at, at, yesterday.date_status), "over for ten hours"
    assert event_time(old.published_at, at, old.date_status) == old.published_at


def test_midnight_is_an_hour_where_the_other_items_have_one_and_where_an_item_is_alone() -> None:
    hours = [f"22 Nov 2026 {hour}:15:00 GMT" for hour in range(10, 15)]
    for result in (dated(MIDNIGHT, MIDNIGHT, *hours), dated(MIDNIGHT, hours[0]), dated(MIDNIGHT)):
        assert {draft.date_status for draft in result.drafts} == {"ok"}
        assert is_late(result.drafts[0].published_at, NOW, "ok")
    with_one_hour = dated(*[MIDNIGHT] * 9, hours[0]).drafts
    assert [draft.date_status for draft in with_one_hour] == ["date_only"] * 9 + ["ok"]


def test_a_day_without_an_hour_names_an_article_as_before() -> None:
    alone, among = dated(MIDNIGHT).drafts[0], dated(MIDNIGHT, MIDNIGHT).drafts[0]
    assert (among.item_key, among.aliases, among.published_at) == (
        alone.item_key, alone.aliases, alone.published_at
    )  # fmt: skip
