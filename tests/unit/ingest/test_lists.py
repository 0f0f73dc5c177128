"""feeds.toml, companies.toml, CSV lists and OPML: every mistake at once, with its place."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, FileMistakes, InputFileError
from pipeline.ingest.company_csv import read_company_csv
from pipeline.ingest.lists import read_companies, read_feeds
from pipeline.ingest.mentions import Watched, WatchList
from pipeline.ingest.opml import read_opml, write_opml

ROOT = Path(__file__).parents[3]


def test_the_shipped_lists_are_sound() -> None:
    feeds = read_feeds(ROOT / "feeds.toml")
    assert len(feeds) >= 45
    for tag in ("central bank", "regulator", "statistics", "exchange", "press"):
        assert any(tag in feed["tags"] for feed in feeds), tag
    companies = read_companies(ROOT / "companies.toml")
    assert len(companies) >= 60
    assert all(company.get("sector") for company in companies)


def test_all_mistakes_are_told_with_line_and_name(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(
        '# list\n[[feeds]]\nname = "good"\nurl = "https://e.com/a"\n\n[[feeds]]\nname = "Bad Name"\nurl = "ftp://e.com"\nlanguge = "en"\n'
        '[[feeds]]\nname = "good"\ndefault_tz = "Mars/Phobos"\nmin_interval_s = 0\n'
    )
    with pytest.raises(FileMistakes) as raised:
        read_feeds(path)
    text = str(raised.value)
    for part in ("line 6", "line 10 (good)", "name must be", "url cannot be fetched", "did you mean language",
                 "url is missing", "Mars/Phobos", "min_interval_s", "already used at line 2 (good)"):  # fmt: skip
        assert part in text
    assert len(raised.value.mistakes) == 7


@pytest.mark.parametrize("text", ["[[feeds", "x = 1", "feeds = 3", ""])
def test_files_that_are_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "feeds.toml").write_text(text)
    with pytest.raises(FileMistakes):
        read_feeds(tmp_path / "feeds.toml")


def test_an_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist; create it"):
        read_companies(tmp_path / "companies.toml")


def test_a_constituents_csv_becomes_a_watch_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "Symbol,Security,GICS Sector\nGOOGL,Alphabet Inc. (Class A),Communication\nGOOG,Alphabet Inc. (Class C),Communication\n"
        "TGT,Target Corporation,Retail\nNWS,News Corp (Class B),Media\nMMM,3M,Industrials\n"
    )
    entries = {entry["name"]: entry for entry in read_company_csv(path)}
    assert set(entries) == {"Alphabet", "Target Corporation", "News Corp", "3M"}
    assert entries["Alphabet"]["ticker"] == "GOOGL"
    assert (entries["Target Corporation"]["common"], entries["Target Corporation"]["aliases"]) == (
        True,
        ["Target"],
    )
    assert entries["News Corp"]["aliases"] == []  # `News` alone never means it
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputFileError, match="no column with names"):
        read_company_csv(tmp_path / "other.csv")


def test_an_imported_company_gets_the_name_that_the_press_has_for_it(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    names = (
        "Dell Technologies", "Philip Morris International", "Fifth Third Bancorp", "PNC Financial Services", "Merck & Co.",
        "Zebra Technologies", "Powell Industries", "U.S. Bancorp", "American International Group", "Huntington Bancshares",
        "Huntington Ingalls Industries", "Orchid Chemicals & Pharmaceuticals", "Lilly (Eli)",
    )  # fmt: skip
    path.write_text("\n".join(["Security", *names]))
    aliases = {entry["name"]: entry["aliases"] for entry in read_company_csv(path)}
    assert aliases["Dell Technologies"] == ["Dell"]
    assert aliases["Philip Morris International"] == ["Philip Morris"]
    assert aliases["Fifth Third Bancorp"] == ["Fifth Third"]
    assert aliases["PNC Financial Services"] == ["PNC"]
    assert aliases["Merck"] == ["Merck & Co."]
    assert aliases["Lilly (Eli)"] == ["Eli Lilly"]
    assert aliases["Huntington Ingalls Industries"] == ["Huntington Ingalls"]
    # a word, a person, a country, and what another company or half a name begins with
    assert aliases["Zebra Technologies"] == aliases["Powell Industries"] == aliases["U.S. Bancorp"] == []
    assert aliases["Huntington Bancshares"] == aliases["Orchid Chemicals & Pharmaceuticals"] == []
    assert aliases["American International"] == ["American International Group"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dow falls 300 points as Nasdaq slides", []),
        ("TJX Q3 EPS 66 cents; FactSet consensus 64 cents", []),
        ("Moody's cuts the rating of a port operator", []),
        ("Dow Inc. to close a plant; FactSet's shares fall; $NDAQ up", ["Dow Inc", "FactSet", "Nasdaq, Inc"]),
    ],
)
def test_an_index_or_a_source_of_figures_is_no_company_in_the_news(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        'Symbol,Security\nDOW,Dow Inc.\nNDAQ,"Nasdaq, Inc."\nFDS,FactSet\nMCO,Moody\'s Corporation\n'
    )
    entries = read_company_csv(path)
    watch = WatchList(
        [
            Watched(n, e["name"], e.get("ticker"), tuple(e["aliases"]), (), e.get("common", False))
            for n, e in enumerate(entries)
        ]
    )
    assert sorted(entries[m.company_id]["name"] for m in watch.find(text, len(text))) == found


def test_opml_goes_out_and_comes_in(tmp_path: Path) -> None:
    path = tmp_path / "feeds.opml"
    path.write_text(write_opml([('A & "B"', "https://e.com/a?x=1&y=2"), ("C", "https://e.com/c")]))
    assert [(feed["title"], feed["url"]) for feed in read_opml(path)] == [
        ('A & "B"', "https://e.com/a?x=1&y=2"),
        ("C", "https://e.com/c"),
    ]


def test_hostile_opml_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "bad.opml"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml><body>'
        '<outline text="&x;" xmlUrl="https://e.com/a"/><outline xmlUrl="javascript:alert(1)"/></body></opml>'
    )
    (feed,) = read_opml(path)
    assert "root:" not in str(feed)
    path.write_text("not xml at all")
    with pytest.raises(InputFileError):
        read_opml(path)
