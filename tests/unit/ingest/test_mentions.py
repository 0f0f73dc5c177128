"""Companies in texts: names that are words, whole words, signs, contexts, scripts."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.lists import read_companies
from pipeline.ingest.mentions import Watched, WatchList, plain_name

LISTED = read_companies(Path(__file__).parents[3] / "companies.toml")
WATCH = WatchList(
    [
        Watched(
            n, c["name"], c.get("ticker"), tuple(c.get("aliases", ())), tuple(c.get("negative_contexts", ())),
            c.get("common", False), c.get("exact_case", False),
        )
        for n, c in enumerate(LISTED)
    ]
)  # fmt: skip


def named(text: str) -> set[str]:
    return {str(LISTED[m.company_id]["name"]) for m in WATCH.find(text, len(text.partition("\n")[0]))}


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        # names that are words
        ("Analyst raises price target on the chipmaker", set()),
        ("Fed keeps its 2% target rate unchanged", set()),
        ("Target shares fall after weak holiday outlook", {"Target"}),
        ("Target's sales rise", {"Target"}),
        ("TARGET SHARES FALL AS SALES MISS", {"Target"}),
        ("They ford the river at dawn", set()),
        ("Harrison Ford returns to the screen", set()),
        ("Ontario premier Doug Ford cuts taxes", set()),
        ("Ford to cut 3,000 jobs in Europe", {"Ford"}),
        ("Ford Motor recalls trucks", {"Ford"}),
        ("Recall hits F-150 maker (NYSE: F)", {"Ford"}),
        ("The wage gap widens in Britain", set()),
        ("Gap Inc beats estimates", {"Gap"}),
        ("Gap's profit doubles", {"Gap"}),
        ("H-1B visa fees rise to $100,000", set()),
        ("US tightens visa rules", set()),
        ("Visa, Mastercard settle with merchants", {"Visa", "Mastercard"}),
        ("Visa and Gap sue Target", {"Visa", "Gap", "Target"}),
        ("Regulators said Visa would pay a fine", {"Visa"}),
        ("Apple pie prices rise with the apple harvest", set()),
        ("Apple cuts iPhone output", {"Apple"}),
        ("Shell companies used to hide money", set()),
        ("Shell reports record profit", {"Shell"}),
        ("Intel officials warn of attack", set()),
        ("Visa Cuts H-1B Quota", set()),
        ("Visa raises its outlook as H-1B lottery opens and Visa Inc hires", {"Visa"}),
        ("U.S. Visa cuts hit India", set()),
        ("Payments grew across the U.S. Visa said it expects more", {"Visa"}),
        ("U.S. Intel reports suggest an attack", set()),
        ("The meta narrative falls apart", set()),
        ("Meta cuts jobs", {"Meta Platforms"}),
        ("META SHARES FALL", {"Meta Platforms"}),
        ("facebook is down", {"Meta Platforms"}),
        ("GE HealthCare slumps", set()),
        ("GE slumps as GE HealthCare soars", {"General Electric"}),
        ("Samsung SDI falls", set()),
        ("Samsung Biologics wins order", set()),
        ("Samsung falls", {"Samsung Electronics"}),
        ("TARGET CUTS PROFIT OUTLOOK", {"Target"}),
        ("Target adds baby formula to stores", {"Target"}),
        ("Ford declares dividend", {"Ford"}),
        ("Visa upgraded at broker", {"Visa"}),
        ("UPDATE 1-TARGET CUTS PROFIT OUTLOOK", {"Target"}),
        ("FED NEARS TARGET SAYS POWELL", set()),
        ("U.S. VISA CUTS HIT INDIA", set()),
        # whole words
        ("Googleplex and Metaverse plans", set()),
        ("Pineapple prices, AMDs and sapling", set()),
        ("ExxonMobil and Chevron merge units", {"Exxon Mobil", "Chevron"}),
        # longest name wins
        ("JPMorgan Chase profit beats", {"JPMorgan Chase"}),
        ("Goldman Sachs Group cuts bonuses", {"Goldman Sachs"}),
        # signs
        ("$AAPL and $TSLA slide", {"Apple", "Tesla"}),
        ("Chip stock (AMD.O) up", {"Advanced Micro Devices"}),
        ("AMD, IBM and GM gain", {"Advanced Micro Devices", "IBM", "General Motors"}),
        ("Deal (NASDAQ: MSFT) closes", {"Microsoft"}),
        # Chinese, Japanese, Korean need no boundaries
        ("周三中国平安股价下跌百分之三", {"Ping An Insurance"}),
        ("腾讯与阿里巴巴合作", {"Tencent", "Alibaba"}),
        ("トヨタが通期予想を下方修正", {"Toyota"}),
        ("삼성전자 3분기 영업이익 급감", {"Samsung Electronics"}),
        ("Apple股价下跌", {"Apple"}),
        ("Target公司下调全年业绩预期", {"Target"}),
        ("Apple派的做法", set()),
        ("据悉BYD将在匈牙利建厂", {"BYD"}),
        ("Amazon rainforest fires spread", set()),
        ("Coke prices fall as steel mills idle coke ovens", set()),
        ("McDonald’s same-store sales drop", {"McDonald's"}),
    ],
)
def test_headlines(text: str, companies: set[str]) -> None:
    assert named(text) == companies


def test_relevance_by_place_and_frequency() -> None:
    watch = WatchList([Watched(1, "Acme"), Watched(2, "Bolt")])
    title = "Acme profit doubles"
    first, second = watch.find(f"{title}\nAcme said that, unlike Bolt, Acme had hired.", len(title))
    assert (first.company_id, first.in_title, first.hits) == (1, True, 3)
    assert (second.company_id, second.in_title, second.hits) == (2, False, 1)
    assert 0.8 < first.relevance <= 1
    assert second.relevance < 0.4


def test_spans_are_offsets_of_the_text() -> None:
    text = "İstanbul: Acme and ACME again"
    (mention,) = WatchList([Watched(1, "Acme")]).find(text, len(text))
    assert [text[start:end] for start, end in mention.spans] == ["Acme", "ACME"]


def test_two_companies_of_one_name_are_both_found() -> None:
    assert {
        m.company_id
        for m in WatchList([Watched(1, "Acme"), Watched(2, "Bolt", aliases=("Acme",))]).find("Acme up", 7)
    } == {1, 2}


def test_part_of_another_name_does_not_count() -> None:
    watch = WatchList([Watched(1, "Corning", common=True), Watched(2, "Williams", common=True)])
    assert not watch.find("Owens Corning upgraded at Wells", 30)
    assert not watch.find("Fed's Williams says policy is in a good place", 40)
    assert watch.find("Corning says demand for glass is strong", 30)


def test_an_empty_watch_list_finds_nothing() -> None:
    assert WatchList([]).find("Acme", 4) == []


def test_legal_forms_are_stripped() -> None:
    assert plain_name("Apple Inc.") == "Apple"
    assert plain_name("Alphabet Inc. (Class A)") == "Alphabet"
    assert plain_name("Goldman Sachs Group") == "Goldman Sachs"
    assert plain_name("3M") == "3M"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Merck & Co.", "Merck"),
        ("Merck & Co., Inc.", "Merck"),
        ("Deere & Company", "Deere"),
        ("Eli Lilly and Company", "Eli Lilly"),
        ("Johnson & Johnson", "Johnson & Johnson"),
        ("Bath & Body Works", "Bath & Body Works"),
    ],
)
def test_and_company_is_a_legal_form(name: str, plain: str) -> None:
    assert plain_name(name) == plain


SPELT = [
    "3M", "Archer Daniels Midland", "Best Buy", "Coca-Cola", "D. R. Horton", "Domino's", "J.M. Smucker", "Nestlé", "Procter & Gamble",
    "Snap-on", "U.S. Bancorp", "Warner Bros. Discovery", "T. Rowe Price", "Eli Lilly and Company", "Brown–Forman",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        ("D.R. Horton cuts guidance", {"D. R. Horton"}),
        ("DR Horton cuts guidance", {"D. R. Horton"}),
        ("J. M. Smucker and T Rowe Price gain", {"J.M. Smucker", "T. Rowe Price"}),
        ("US Bancorp and Warner Bros Discovery slide", {"U.S. Bancorp", "Warner Bros. Discovery"}),
        ("Procter and Gamble sues Eli Lilly & Company", {"Procter & Gamble", "Eli Lilly and Company"}),
        ("Archer-Daniels-Midland Is Fairly Valued", {"Archer Daniels Midland"}),
        ("Coca Cola and Brown-Forman raise prices", {"Coca-Cola", "Brown–Forman"}),
        ("COCA COLA AND BROWN FORMAN RAISE PRICES", {"Coca-Cola", "Brown–Forman"}),
        ("Nestle and Domino’s Pizza cut outlooks", {"Nestlé", "Domino's"}),
        ("NESTLÉ PROFIT FALLS", {"Nestlé"}),
        ("Coca‑Cola wins", {"Coca-Cola"}),  # a hyphen at which no line breaks
        # a word apart or joined is not the name
        ("Small banks may snap on short notice", set()),
        ("Three best-buy ratings", set()),
        # money is not the company
        ("3M and rivals settle", {"3M"}),
        ("Start-up raises $3M, another €3M and a third 8.3M", set()),
        ("Margins rise 1,3M units", set()),
    ],
)
def test_a_name_is_found_however_a_house_spells_it(text: str, companies: set[str]) -> None:
    watch = WatchList([Watched(n, name) for n, name in enumerate(SPELT)])
    found = watch.find(text, len(text))
    assert {SPELT[mention.company_id] for mention in found} == companies


def test_a_cashtag_is_not_a_company_that_is_called_so() -> None:
    watch = WatchList([Watched(1, "HP", "HPQ"), Watched(2, "IBM", "IBM"), Watched(3, "Tesla")])
    text = "$HP - Helmerich & Payne rises, $IBM and $Tesla fall"
    assert {mention.company_id for mention in watch.find(text, len(text))} == {2, 3}


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=120))
def test_any_text_gives_spans_inside_it(text: str) -> None:
    for mention in WATCH.find(text + " Tesla " + text, 5):
        assert 0 <= mention.relevance <= 1
        assert all(0 <= start < end <= len(text) * 2 + 7 for start, end in mention.spans)
