"""Which articles tell the same thing: copies meet, templates do not."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ingest.stories import (
    Candidate,
    band_keys,
    choose,
    fingerprint,
    guard,
    numbers,
    overlap,
    same_story,
    shingle_hashes,
)
from pipeline.ingest.titles import folded_title, says_correction

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TITLE = "Acme shares slump after the chipmaker cuts its outlook for the year"
BODY = (
    "Acme Corp cut its revenue outlook to $1.2 billion on Monday, saying that demand from carmakers had weakened in Europe and "
    "that two large customers had put off orders until next spring, sending its shares down 14% in early trading."
)


def print_of(title: str, body: str = "", **kwargs: object) -> object:
    return fingerprint(title, f"{title}\n{body}" if body else title, **kwargs)  # type: ignore[arg-type]


def same(one: object, other: object, road: str = "near_copy") -> bool:
    return same_story(one, other, road)  # type: ignore[arg-type]


def test_an_edited_copy_is_the_same_story() -> None:
    copy = print_of(
        f"UPDATE 1-{TITLE} - Reuters",
        "NEW YORK (Reuters) - " + BODY.replace("early trading", "premarket trading"),
    )
    assert same(print_of(TITLE, BODY), copy)


def test_a_copy_cut_short_meets_by_its_title() -> None:
    assert same(print_of(TITLE, BODY), print_of(TITLE, BODY[:120]), "title")
    assert same(print_of(TITLE, BODY), print_of(TITLE), "title")


@pytest.mark.parametrize(
    ("title", "body"),
    [
        (TITLE.replace("Acme", "Bolt"), BODY.replace("Acme", "Bolt")),
        (TITLE, BODY.replace("1.2 billion", "3.4 billion").replace("14%", "5%")),
    ],
)
def test_a_template_about_others_or_other_numbers_is_another_story(title: str, body: str) -> None:
    one, other = print_of(TITLE, BODY), print_of(title, body)
    assert overlap(one.shingles, other.shingles)[0] > 0.5  # type: ignore[attr-defined]  # alike in words ...
    assert not same(one, other)  # ... not in fact


def test_title_only_templates_stay_apart() -> None:
    assert not same(
        print_of("Acme Shares Fall After Earnings Miss"), print_of("Bolt Shares Fall After Earnings Miss")
    )
    assert not same(
        print_of("Fed raises rates by 25 basis points"), print_of("Fed raises rates by 50 basis points")
    )


def test_different_companies_of_the_watch_list_never_merge() -> None:
    assert not guard(print_of(TITLE, BODY, companies=[1]), print_of(TITLE, BODY, companies=[2]))  # type: ignore[arg-type]
    assert guard(print_of(TITLE, BODY, companies=[1, 3]), print_of(TITLE, BODY, companies=[3]))  # type: ignore[arg-type]


TALKS = "{} opens talks with lenders over debt"
TALKS_BODY = (
    "{0} has begun talks with its lenders about its debt, people familiar with the matter said. A spokesman for {0} declined to "
    "comment on the talks."
)


@pytest.mark.parametrize(
    ("one", "other", "watched", "expected"),
    [
        ("Razase", "Razase Energy", (), False),
        ("Razase Group", "Razase Energy", (), False),
        ("Razase", "Razase Corp", (), True),  # a legal form names nobody else
        ("Razase", "Razase Motor", (7,), True),  # the watch list knows both for one company
    ],
)
def test_a_name_that_goes_on_is_somebody_else(
    one: str, other: str, watched: tuple[int, ...], expected: bool
) -> None:
    first, second = (
        print_of(TALKS.format(name), TALKS_BODY.format(name), companies=watched) for name in (one, other)
    )
    assert same(first, second) is same(second, first) is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oil trades at 3-month low", "Oil trades at 3-month high"),
        ("Acme quarterly profit beats estimates on strong sales in China and Europe, shares jump",
         "Acme quarterly profit misses estimates on strong sales in China and Europe, shares jump"),
        ("Acme says it is in talks to buy rival Bolt for $3 billion", "Acme says it is not in talks to buy rival Bolt for $3 billion"),
        ("宁德时代前三季度净利润同比增长", "宁德时代前三季度净利润同比下降"),
        ("贵州茅台前三季度净利润同比增长百分之六", "五粮液前三季度净利润同比增长百分之六"),
        ("inTEST announces second quarter financial results conference call and webcast",
         "Allied Motion announces second quarter financial results conference call and webcast"),
    ],
)  # fmt: skip
def test_titles_that_say_the_opposite_or_name_others_are_two_stories(one: str, other: str) -> None:
    first, second = print_of(one), print_of(other)
    assert overlap(first.shingles, second.shingles)[0] >= 0.5  # type: ignore[attr-defined]
    assert not same(first, second)
    assert not same(second, first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("U.S. chip industry split over new act's benefits to makers", "US chip industry split over new act's benefits to makers"),
        ("Influential U.S. doctors group calls for a ban on vaping", "UPDATE 1-Influential U.S. doctors group calls for a ban on vaping"),
        ("Fed makes a 25-basis-point cut as it sees prices easing", "Fed makes a 25 basis point cut as it sees prices easing"),
        ("Acme wins $2-billion order from the navy for its ships", "Acme wins $2 billion order from the navy for its ships"),
        ("$F $CMP - Compass Minerals signs deal with Ford for lithium", "$CMP - Compass Minerals signs deal with Ford for lithium"),
        ("Stocks rise as investors wait for the jobs report on Friday", "Dollar falls as investors wait for the jobs report on Friday"),
        ("贵州茅台前三季度净利润同比增长百分之六", "快讯:贵州茅台前三季度净利润同比增长百分之六"),
    ],
)  # fmt: skip
def test_other_spellings_and_headings_of_one_text_meet(one: str, other: str) -> None:
    first, second = print_of(one, BODY), print_of(other, BODY)
    assert same(first, second)
    assert same(second, first)


@pytest.mark.parametrize(
    "notice",
    [
        "Subscribe now to continue reading this article. Already a subscriber? Log in here. Get unlimited access to all our "
        "stories, newsletters and podcasts for only $1 a week. Cancel at any time.",
        "We use cookies to give you the best experience on our site. By continuing you accept our use of cookies. Read our privacy "
        "policy to learn more about how we use your data and how you can change it.",
        "本文仅供订阅用户阅读,请登录或订阅后继续阅读全文,更多精彩内容尽在我们的网站和手机客户端,欢迎下载。",
    ],
)
def test_a_notice_that_a_feed_puts_under_all_it_has_makes_no_copies(notice: str) -> None:
    titles = (
        "Tesla recalls two million vehicles",
        "Oil jumps after attack on tanker",
        "贵州茅台净利润增长",
        "宁德时代扩建工厂",
    )
    prints = [print_of(title, notice) for title in titles]
    assert not any(same(one, other) for one in prints for other in prints if one is not other)


def test_a_copy_under_another_headline_is_the_same_story() -> None:
    for headline in (
        "Carmakers' weak demand in Europe hits Acme",
        "Press release",
        "Acme Corp: customers put off orders",
    ):
        assert same(print_of(TITLE, BODY), print_of(headline, BODY))
        assert same(print_of(headline, BODY), print_of(TITLE, BODY))


def test_a_country_is_the_same_with_dots_and_without() -> None:
    one, other = (
        "U.S. chip industry split over the new act for makers",
        "US Chip Industry Split Over the New Act for Makers",
    )
    assert same(print_of(one), print_of(other))
    assert folded_title(one) == folded_title(other)


def test_a_column_is_not_a_story() -> None:
    monday = print_of(
        "Morning briefing",
        "Oil rose and the dollar fell as traders waited for the jobs report due this week in Washington.",
    )
    tuesday = print_of(
        "Morning briefing",
        "Chip shares led Asia higher after a strong forecast from Taiwan lifted hopes for a rebound in phones.",
    )
    assert not same(monday, tuesday, "title")


def test_a_later_article_is_a_new_event() -> None:
    article = print_of(TITLE, BODY)
    old = Candidate(1, "title", article, NOW - timedelta(hours=73))  # type: ignore[arg-type]
    new = Candidate(2, "near_copy", article, NOW - timedelta(hours=2))  # type: ignore[arg-type]
    assert choose(article, NOW, [old]) is None  # type: ignore[arg-type]
    assert choose(article, NOW, [old, new]) == new  # type: ignore[arg-type]


def test_numbers_in_one_spelling() -> None:
    assert numbers("1.2bn") == numbers("1,200 mln") == numbers("1200 million") == numbers("$1.2 billion")
    assert numbers("3 percent") == numbers("3%") == numbers("3 pct")
    assert numbers("25 basis points") == numbers("25bp")
    assert numbers("12亿") == numbers("1.2 bn")
    assert numbers("in 2026 at 10:30") == frozenset()


def test_bands_are_stable_across_processes() -> None:
    texts = [
        "one two three four five",
        "",
        "One, two three  four five!",
        "one two",
        "It's a 'quoted' word",
        "中国平安周三公布",
    ]
    found = shingle_hashes(texts)
    keys = band_keys(found)
    assert [len(own) for own in found] == [3, 0, 3, 1, 2, 6]
    assert [len(own) for own in keys] == [12, 0, 12, 12, 12, 12]
    assert found[0].tolist() == found[2].tolist()
    assert keys[0] == keys[2]
    assert keys[0][0] == 3831898794155844864
    assert all(-(2**63) <= value < 2**63 for value in keys[0])
    for text, own, key in zip(texts, found, keys, strict=True):
        alone = shingle_hashes([text])
        assert (alone[0].tolist(), band_keys(alone)) == (own.tolist(), [key])
    assert band_keys(shingle_hashes([])) == []


def test_chinese_copies_meet() -> None:
    body = "中国平安周三公布第三季度业绩,净利润同比下降百分之十四,主要受投资收益下滑影响,公司表示将继续优化结构。"
    assert same(
        print_of("中国平安第三季度净利润下降", body),
        print_of("中国平安第三季度净利润下降", body[:-4] + "优化。"),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UPDATE 2-Acme cuts outlook", "Acme cuts outlook"),
        ("BREAKING: Acme cuts outlook - Reuters", "Acme Cuts Outlook"),
        ("【快讯】平安下调展望", "平安下调展望"),
        ("Nestlé cuts outlook | Financial Times", "NESTLE CUTS OUTLOOK"),
    ],
)
def test_folded_titles(one: str, other: str) -> None:
    assert folded_title(one) == folded_title(other)


def test_corrections_say_so() -> None:
    assert says_correction("CORRECTED-Acme profit was 3 mln, not 5 mln", "")
    assert says_correction("Acme profit", "(Corrects paragraph 2 to say million)")
    assert not says_correction("Market correction looms, strategists say", "")
