"""Files of labels as people and tools write them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import pytest

from pipeline.errors import InputFileError
from pipeline.label.formats import read_labels, write_labels
from pipeline.label.records import ArticleRef, FileLabel, Mistake, StoredLabel, read_row
from pipeline.label.schema import Rename, bring_up_to_date

TEXT = "Orvex plunges\nOrvex lost half its value; Halcyon Grid rose."


def of(path, *fields):
    return [tuple(getattr(label, field) for field in fields) for label in read_labels(path)]


def test_a_label_studio_export(tmp_path):
    path = tmp_path / "export.json"
    span = {"start": 41, "end": 53, "labels": ["positive"]}
    task = {
        "id": 7,
        "data": {"text": TEXT, "article_id": 12},
        "annotations": [
            {
                "completed_by": {"id": 3, "email": "anna@example.org"},
                "created_at": "2026-05-04T10:00:00.000000Z",
                "was_cancelled": False,
                "result": [
                    {"from_name": "sentiment", "type": "choices", "value": {"choices": ["negative"]}},
                    {"from_name": "company", "type": "labels", "value": span},
                    {
                        "from_name": "topics",
                        "type": "choices",
                        "value": {"choices": ["stock_movement", "markets"]},
                    },
                ],
            },
            {"completed_by": 4, "was_cancelled": True, "result": []},
        ],
    }
    path.write_text(json.dumps([task, {"text": TEXT, "sentiment": "negative"}]))
    found = list(read_labels(path))
    assert [(f.target, f.company, f.sentiment, f.topics) for f in found if isinstance(f, FileLabel)] == [
        ("story", None, "negative", None),
        ("company", "Halcyon Grid", "positive", None),
        ("topics", None, None, ("stock_movement", "markets")),
    ]
    assert {f.labelled_by for f in found if isinstance(f, FileLabel)} == {"anna@example.org"}
    assert found[0].labelled_at == datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert isinstance(found[-1], Mistake)
    assert "JSON_MIN" in found[-1].what


def test_an_argilla_export(tmp_path):
    path = tmp_path / "records.json"
    record = {
        "id": "12",
        "fields": {"text": TEXT},
        "metadata": {"guid": "x-1", "feed": "wire"},
        "responses": {
            "sentiment": [
                {"value": "negative", "user_id": "u1", "status": "submitted"},
                {"value": "neutral", "user_id": "u2", "status": "discarded"},
            ],
            "company": [{"value": [{"start": 0, "end": 5, "label": "negative"}], "user_id": "u1"}],
        },
    }
    path.write_text(json.dumps([record]))
    assert of(path, "target", "company", "sentiment", "labelled_by") == [
        ("story", None, "negative", "u1"),
        ("company", "Orvex", "negative", "u1"),
    ]


def test_a_spreadsheet(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(
        b"\xef\xbb\xbfurl,sentiment,topics,labelled_by,confidence\r\n"
        b'https://wire.example/1,positive,"earnings, dividend",bob,0.9\r\n'
        b"https://wire.example/2,,,bob,\r\nhttps://wire.example/3,positive,,bob,7\r\n"
    )
    found = list(read_labels(path))
    assert [(f.target, f.sentiment, f.topics) for f in found if isinstance(f, FileLabel)] == [
        ("story", "positive", None),
        ("topics", None, ("earnings", "dividend")),
    ]
    assert [(m.row, m.what) for m in found if isinstance(m, Mistake)] == [
        (2, "no sentiment, company_sentiment or topics in it"),
        (3, "confidence 7.0 is not between 0 and 1"),
    ]


def test_a_title_is_no_formula_in_a_spreadsheet_and_comes_back_as_it_was(tmp_path):
    path = tmp_path / "labels.csv"
    told = {
        "title": '=HYPERLINK("http://evil.example")',
        "guid": "-7",
        "url": "@x",
        "feed": "wire",
        "note": "+1, said \u5e02\u573a\nand went",
    }
    label = StoredLabel(
        article_id=1,
        text="",
        mentions=(),
        target="story",
        company=None,
        sentiment="negative",
        topics=None,
        labelled_by="=anna",
        labelled_at=None,
        origin="desk",
        confidence=None,
        queue_reason=None,
        schema_version=1,
        **told,
    )
    assert write_labels(path, "csv", [label]) == 1
    with path.open(newline="", encoding="utf-8") as lines:
        (row,) = csv.DictReader(lines)
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    (back,) = read_labels(path)
    assert back.article == ArticleRef(1, told["guid"], told["feed"], told["url"], told["title"])
    assert (back.labelled_by, back.note) == ("=anna", told["note"])


@pytest.mark.parametrize(
    ("name", "content"), [("x.txt", "?"), ("x.json", "{"), ("x.json", "[1]"), ("gone.csv", None)]
)
def test_what_is_no_file_of_labels_is_refused_in_a_sentence(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputFileError):
        list(read_labels(tmp_path / name))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"article_id": 10**20}, "no article has the number"),
        ({"article_id": 0}, "no article has the number"),
        ({"article_id": float("inf")}, "infinity"),
        ({"labelled_at": "9999-12-31T23:00:00-08:00"}, "is not a time"),
        ({"labelled_at": "0001-01-01T00:00:00+14:00"}, "is not a time"),
        ({"labelled_at": "yesterday"}, "is not a time"),
        ({"labelled_by": "x" * 201}, "longer than 200 characters"),
        ({"company_sentiment": "[" * 100_000}, "recursion"),
    ],
)
def test_a_row_that_no_table_could_hold_is_a_mistake(fields, what):
    (found,) = read_row({"article_id": 1, "sentiment": "neutral"} | fields, 3)
    assert isinstance(found, Mistake)
    assert found.row == 3
    assert what in found.what


def test_texts_of_a_row_are_cleaned_as_those_of_articles_are():
    raw = {"guid": "g\x00-1", "url": "https://wire.example/\ud8001", "title": " a  title\x07"}
    (found,) = read_row(raw | {"sentiment": "neutral", "labelled_by": "an\u200bna", "note": "a\x00\nb"}, 1)
    assert isinstance(found, FileLabel)
    assert found.article == ArticleRef(guid="g-1", url="https://wire.example/\ufffd1", title="a title")
    assert (found.labelled_by, found.note) == ("anna", "a\nb")


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (
            {"data": {"article_id": 1}, "annotations": [{"result": [{"from_name": "sentiment"}]}]},
            {
                "data": {"article_id": 2},
                "annotations": [{"result": [{"from_name": "sentiment", "value": {"choices": ["neutral"]}}]}],
            },
        ),
        (
            {"metadata": {"article_id": 1}, "responses": {"company": [{"value": [{"start": 0}]}]}},
            {"metadata": {"article_id": 2}, "responses": {"sentiment": [{"value": "neutral"}]}},
        ),
    ],
)
def test_a_record_not_as_its_tool_exports_it_is_named_and_the_next_one_read(tmp_path, bad, good):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([bad, good]))
    mistake, label = read_labels(path)
    assert isinstance(mistake, Mistake)
    assert mistake.row == 1
    assert isinstance(label, FileLabel)
    assert label.article.article_id == 2


def test_a_line_too_deep_to_read_is_named(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("[" * 100_000 + '\n{"article_id": 2, "sentiment": "neutral"}\n')
    mistake, label = read_labels(path)
    assert isinstance(mistake, Mistake)
    assert isinstance(label, FileLabel)


def test_older_words_are_brought_up_to_date():
    label = FileLabel(1, None, "topics", topics=("ipo", "gone", "markets"))  # type: ignore[arg-type]
    renames = (
        Rename(2, topics={"ipo": "listings"}),
        Rename(3, topics={"listings": "new_listings", "gone": None}),
    )
    assert bring_up_to_date(label, 1, renames).topics == ("new_listings", "markets")
    assert bring_up_to_date(label, 2, renames).topics == ("ipo", "markets")
    with pytest.raises(ValueError, match="newer than this release"):
        bring_up_to_date(label, 9, renames)


def test_a_row_of_the_wire_is_a_row_of_labels():
    raw = {
        "id": "d01-mer-001",
        "feed": "wire",
        "sentiment": "neutral",
        "company_sentiment": {"ORVX": "negative"},
    }
    assert [(f.target, f.company, f.article.guid) for f in read_row(raw, 1)] == [  # type: ignore[union-attr]
        ("story", None, "d01-mer-001"),
        ("company", "ORVX", "d01-mer-001"),
    ]
