"""Examples from files: what is read, what is refused, where companies stand, what may be learnt from."""

from __future__ import annotations

import csv
import json

import pytest

from model.data import Source, check_licences, ledger, make_example, read_source, write_examples
from model.errors import DataError, LicenceError
from model.example import find_spans, normalise
from model.labels import TOPIC_TITLES, TOPICS, label_map


def source(path, **extra):
    return Source("set", path, "MIT", **extra)


def test_every_topic_has_a_name_and_a_title():
    assert len(TOPICS) == 20
    assert len(set(TOPIC_TITLES.values())) == 20
    assert label_map()["topics"] == list(TOPICS)


def test_the_same_rows_are_read_from_json_lines_csv_and_parquet(tmp_path):
    rows = [{"text": "Acme rises", "sentiment": "positive"}, {"text": "Borel falls", "sentiment": "negative"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with (tmp_path / "a.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, ["text", "sentiment"])
        writer.writeheader()
        writer.writerows(rows)
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    read = [
        [(e.text, e.sentiment) for e in read_source(source(tmp_path / f"a.{k}"))]
        for k in ("jsonl", "csv", "parquet")
    ]
    assert read[0] == read[1] == read[2] == [("Acme rises", "positive"), ("Borel falls", "negative")]


def test_columns_and_values_are_mapped_and_an_empty_value_is_unknown(tmp_path):
    row = {
        "title": "Oil falls; Acme gains",
        "entities": {"Acme": "positive", "Oil": "negative"},
        "mood": "mixed",
    }
    example = make_example(
        row,
        source(
            tmp_path,
            columns={"text": "title", "companies": "entities", "sentiment": "mood"},
            values={"mixed": ""},
        ),
    )
    assert example.sentiment is None
    assert [(c.name, c.spans, c.sentiment) for c in example.companies] == [
        ("Acme", ((11, 15),), "positive"),
        ("Oil", ((0, 3),), "negative"),
    ]


def test_a_company_that_is_not_in_the_text_is_left_out(tmp_path):
    assert (
        make_example({"text": "Nothing", "companies": {"Acme": "neutral"}}, source(tmp_path)).companies == ()
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "x", "sentiment": "sad"}', "row 2: sentiment 'sad'"),
        ("{broken", "a.jsonl:2"),
        ("[1]", "a.jsonl:2"),
    ],
)
def test_a_bad_row_is_named(tmp_path, line, words):
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(DataError, match=words.replace("[", r"\[")):
        read_source(source(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin.csv", "text,sentiment\nSociété Générale monte,positive\n".encode("latin-1")),
        ("latin.jsonl", '{"text": "Société Générale"}\n'.encode("latin-1")),
        ("endless.csv", b'text\n"' + b"a" * 200_000 + b'"\n'),
        ("cut.parquet", b"PAR1 and no more"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    limit = csv.field_size_limit(131_072)  # the import of articles raises it for its process
    try:
        with pytest.raises(DataError, match=name):
            read_source(source(tmp_path / name))
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize(("moment", "zone"), [(2**62, None), (0, "Mars/Olympus")])
def test_a_parquet_file_with_a_time_that_python_cannot_hold_is_named(tmp_path, moment, zone):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    times = arrow.array([moment], arrow.int64()).cast(arrow.timestamp("us", zone))
    parquet.write_table(
        arrow.table({"text": ["Acme rises"], "published_at": times}), tmp_path / "odd.parquet"
    )
    with pytest.raises(DataError, match=r"odd\.parquet cannot be read"):
        read_source(source(tmp_path / "odd.parquet"))


@pytest.mark.parametrize("companies", ['"Acme"', "3", '[{"label": "positive"}]', "[3]"])
def test_companies_of_another_shape_name_their_row(tmp_path, companies):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "Acme rises", "companies": {companies}}}\n')
    with pytest.raises(DataError, match=r"row 1.*companies are an object"):
        read_source(source(tmp_path / "a.jsonl"))


def test_companies_may_be_names_alone(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "Acme rises", "companies": ["Acme"]}\n')
    (example,) = read_source(source(tmp_path / "a.jsonl"))
    assert [(c.name, c.sentiment) for c in example.companies] == [("Acme", None)]


def test_an_unknown_topic_is_refused(tmp_path):
    with pytest.raises(DataError, match="weather"):
        make_example({"text": "x", "topics": ["weather"]}, source(tmp_path))


def test_examples_written_are_read_back(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "Acme up", "companies": {"Acme": "positive"}, "topics": ["markets"]}'
    )
    examples = read_source(source(tmp_path / "a.jsonl"))
    write_examples(tmp_path / "b.jsonl", examples)
    assert read_source(source(tmp_path / "b.jsonl")) == examples


@pytest.mark.parametrize(
    "text",
    ["see https://t.co/abc now", "Q&amp;A at Acme", "A &#8217; B", "plain", "&notanentity; x", "\x00end"],
)
def test_normalising_keeps_every_offset(text):
    out = normalise(text)
    assert len(out) == len(text)
    assert out[-1] == text[-1]


def test_normalising_blanks_what_says_nothing():
    assert normalise("see https://t.co/abc now").split() == ["see", "http", "now"]
    assert normalise("Q&amp;A").replace(" ", "") == "Q&A"


@pytest.mark.parametrize(
    ("text", "name", "spans"),
    [
        ("Acme sues ACME rival", "Acme", ((0, 4), (10, 14))),
        ("Acmeville grows", "Acme", ((0, 4),)),  # glued only: better than nothing
        ("Pacific and Acme", "acme", ((12, 16),)),
        ("腾讯利润上升", "腾讯", ((0, 2),)),
        ("USD/INR falls", "INR", ((4, 7),)),
        ("nothing here", "Acme", ()),
        ("anything", " ", ()),
        ("Tata  Motors up", "Tata Motors", ((0, 12),)),
        ("İş Bankası xUSDINR", "usdinr", ((12, 18),)),  # "İ" in lower case is two characters
        ("xİŞ and more", "İş", ((1, 3),)),
    ],
)
def test_companies_are_found_as_whole_words_first(text, name, spans):
    assert find_spans(text, name) == spans


def test_a_licence_that_forbids_the_use_is_refused_by_name(tmp_path):
    bad = Source("phrasebank", tmp_path, "CC-BY-NC-SA-3.0")
    with pytest.raises(LicenceError, match="phrasebank"):
        check_licences([source(tmp_path), bad])
    check_licences([source(tmp_path), bad], use="research")
    with pytest.raises(LicenceError, match="not listed"):
        check_licences([Source("odd", tmp_path, "Proprietary")], use="research")


def test_the_ledger_names_licence_digest_and_count(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    (entry,) = ledger([source(tmp_path / "a.jsonl", origin="here")])
    assert entry["licence"] == "MIT"
    assert entry["examples"] == 1
    assert entry["sha256"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
