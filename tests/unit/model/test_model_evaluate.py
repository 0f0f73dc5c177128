"""Judging: figures per head, the behavioural suite, the report, the files that go in and out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow.parquet
import pytest
from model_rows import make_rows, write_rows
from typer import Typer
from typer.testing import CliRunner

from model.behave import Case, complaint, pass_rates
from model.cli import register
from model.data import Source, read_source
from model.errors import DataError
from model.evaluate import compare, evaluate, load_suite, suite_digest
from model.example import CompanyLabel, Example
from model.files import predict_file
from model.inference import Classifier
from model.labels import SENTIMENTS, TOPICS
from model.report import render_report
from model.verdict import Failure, Probabilities, Verdict

GOOD, BAD, EVEN = Probabilities(0.1, 0.1, 0.8), Probabilities(0.8, 0.1, 0.1), Probabilities(0.2, 0.6, 0.2)


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return Classifier.load(tiny_model, "cpu", "fp32")


@pytest.fixture
def undertow():
    root = Typer()
    register(root)
    return lambda *arguments: CliRunner().invoke(root, arguments)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    path = write_rows(tmp_path_factory.mktemp("judged") / "judged.jsonl", make_rows(45, seed=11))
    return read_source(Source("judged", path, "MIT"))


def test_an_evaluation_holds_every_head_and_slice_and_survives_json(classifier, judged):
    evaluation = json.loads(json.dumps(evaluate(classifier, judged, rounds=50).to_json()))
    heads = evaluation["heads"]
    assert set(heads) == {"sentiment", "company", "topics"}
    assert heads["sentiment"]["n"] == 45
    low, high = heads["sentiment"]["accuracy_interval"]
    assert low <= heads["sentiment"]["accuracy"] <= high
    assert heads["sentiment"]["slices"]["source"]["judged"]["n"] == 45
    page = render_report(evaluation)
    assert page.count("data:image/png") == 6
    assert "<script" not in page


def test_a_model_against_itself_is_no_better(classifier, judged):
    paired = compare(classifier, classifier, judged)
    assert paired["sentiment"]["mcnemar_p"] == 1.0
    assert render_report(evaluate(classifier, judged, rounds=5).to_json(), None, paired).count("McNemar") == 1


class Saying:
    """A classifier that answers every text alike."""

    version = "fake"

    def __init__(self, answer):
        self.answer = answer

    def predict(self, inputs):
        return [self.answer for _ in inputs]


def test_a_text_the_model_failed_on_is_wrong_whatever_its_label():
    examples = [
        Example(f"Acme {label} {topic}", label, (CompanyLabel("Acme", ((0, 4),), label),), (topic,))
        for label in SENTIMENTS
        for topic in TOPICS
    ]
    evaluation = evaluate(Saying(Failure("too odd")), examples, rounds=5)
    assert evaluation.failures == len(examples)
    assert {name: head["accuracy"] for name, head in evaluation.heads.items()} == {
        "sentiment": 0.0,
        "company": 0.0,
        "topics": 0.0,
    }
    assert evaluation.heads["sentiment"]["bins"][0]["confidence"] == pytest.approx(0.34)


def test_each_model_is_compared_by_any_of_a_texts_topics():
    """One says the first topic, the other the second: both are right, and one that says a third is not."""
    examples = [Example(f"acme {n}", topics=("earnings", "dividend")) for n in range(20)]
    first, second, third = (
        Saying(Verdict(EVEN, {}, {name: float(name == said) for name in TOPICS}))
        for said in ("earnings", "dividend", "macro")
    )
    for one, other in ((second, first), (first, second)):
        found = compare(one, other, examples)["topics"]
        assert (found["accuracy_change"], found["macro_f1_change"], found["mcnemar_p"]) == (0.0, 0.0, 1.0)
    assert compare(second, third, examples)["topics"]["accuracy_change"] == -1.0
    assert compare(third, second, examples)["topics"]["only_b_right"] == 20


def test_nothing_labelled_is_said(classifier):
    with pytest.raises(DataError, match="label"):
        evaluate(classifier, [Example("acme")])


@pytest.mark.parametrize(
    ("case", "verdicts", "words"),
    [
        (Case("a", "k", "t", {"sentiment": "negative"}), [Verdict(BAD)], ""),
        (Case("a", "k", "t", {"sentiment": "negative"}), [Verdict(GOOD)], "positive, not negative"),
        (Case("a", "k", "t", never={"sentiment": "negative"}), [Verdict(BAD)], "negative"),
        (Case("a", "k", "t", never={"sentiment": "negative"}), [Verdict(EVEN)], ""),
        (Case("a", "k", "t", {"companies": {"A": "positive"}}), [Verdict(BAD, {"A": GOOD})], ""),
        (
            Case("a", "k", "t", {"companies": {"A": "positive"}}),
            [Verdict(BAD, {"A": EVEN})],
            "A neutral, not positive",
        ),
        (Case("a", "k", "t", {"topics": ["ipo"]}), [Verdict(BAD, {}, {"macro": 0.6, "ipo": 0.3})], ""),
        (
            Case("a", "k", "t", {"topics": ["ipo"]}),
            [Verdict(BAD, {}, {"macro": 0.9, "ipo": 0.1})],
            "macro, not ipo",
        ),
        (Case("a", "k", "t", same_as="u"), [Verdict(BAD), Verdict(EVEN)], "twin"),
        (Case("a", "k", "t", {"sentiment": "negative"}), [Failure("too odd")], "too odd"),
    ],
)
def test_a_case_passes_when_all_it_asks_for_holds(case, verdicts, words):
    found = complaint(case, verdicts)
    assert words in found
    assert bool(found) == bool(words)


def test_rates_count_each_case_once():
    cases = [Case("a-1", "a", ""), Case("a-2", "a", ""), Case("b-1", "b", "")]
    rates = pass_rates(cases, ["", "wrong", ""])
    assert (rates.overall, dict(rates.kinds), dict(rates.failures)) == (
        0.6667,
        {"a": 0.5, "b": 1.0},
        {"a-2": "wrong"},
    )


def test_the_suite_is_large_and_asks_only_for_what_can_be_judged():
    cases = load_suite()
    assert len(cases) >= 400
    assert len({c.id for c in cases}) == len(cases)
    assert len({c.kind for c in cases}) >= 10
    for case in cases:
        assert case.expect or case.never or case.same_as, case.id
        for company in case.expect.get("companies", {}):
            assert company in case.text, case.id
    assert len(suite_digest()) == 64


def test_no_case_of_the_suite_is_among_our_training_texts():
    from model.data import read_rows
    from model.recipe import own_texts
    from model.splits import find_leaks

    texts = [str(r["text"]) for s in own_texts() for r in read_rows(s.path)]
    assert find_leaks(texts, [c.text for c in load_suite()], threshold=0.9) == []


def test_a_bad_line_is_an_error_line_and_stops_nothing(classifier, tmp_path):
    lines = [
        '{"text": "acme rises", "companies": ["acme"], "id": 7}',
        "{broken",
        '{"other": 1}',
        '{"text": ""}',
        "[]",
    ]
    lines += ['{"text": "x", "companies": "acme; borel"}', '{"text": "x", "companies": {"a": 1}}', ""]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    counts = predict_file(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (counts.judged, counts.failed) == (2, 5)
    assert [r.get("line") for r in rows] == [None, 2, 3, 4, 5, None, 7]
    assert rows[0]["id"] == 7
    assert set(rows[0]["probabilities"]) == {"negative", "neutral", "positive"}
    assert rows[0]["companies"]["acme"]["sentiment"] in ("negative", "neutral", "positive")
    assert rows[5]["companies"].keys() == {"acme", "borel"}


def test_half_a_surrogate_pair_costs_no_line(classifier, tmp_path):
    lines = ['{"text": "Acme \\ud800 cuts", "id": "\\udfff"}', '{"text": "acme \\ud83d\\ude00"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    counts = predict_file(classifier, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert (counts.judged, counts.failed) == (2, 0)
    assert [rows[0]["text"], rows[0]["id"], rows[1]["text"]] == ["Acme ? cuts", "?", "acme 😀"]


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_verdicts_are_never_written_over_their_texts(classifier, tmp_path, link):
    source, target = tmp_path / "in.jsonl", tmp_path / "in.jsonl"
    source.write_text('{"text": "acme rises"}\n')
    if link:
        target = tmp_path / "out.jsonl"
        getattr(target, link)(source)
    with pytest.raises(DataError, match="another file"):
        predict_file(classifier, source, target)
    assert source.read_text() == '{"text": "acme rises"}\n'


def test_a_csv_of_texts_is_judged_too(classifier, tmp_path):
    (tmp_path / "in.csv").write_text("text,id\nacme rises,1\n,2\n")
    counts = predict_file(classifier, tmp_path / "in.csv", tmp_path / "out.jsonl")
    assert (counts.judged, counts.failed) == (1, 1)
    with pytest.raises(DataError, match="no file"):
        predict_file(classifier, tmp_path / "none.csv", tmp_path / "out.jsonl")


def test_a_plain_file_holds_a_text_a_line(classifier, tmp_path):
    (tmp_path / "in.txt").write_text('acme rises\r\n\n  borel falls, "again"\n', encoding="utf-8-sig")
    assert predict_file(classifier, tmp_path / "in.txt", tmp_path / "out.jsonl").judged == 2
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["text"] for r in rows] == ["acme rises", 'borel falls, "again"']


def test_texts_given_to_the_command_are_judged_with_the_companies_they_name(undertow, tiny_model):
    ask = ["predict", "acme rises", "", "borel falls", "--company", "Acme", "--company", "Borel"]
    ask += ["--model", str(tiny_model), "--device", "cpu"]
    rows = [json.loads(line) for line in undertow(*ask, "--json").stdout.splitlines()]
    assert [list(r.get("companies", {})) for r in rows] == [["Acme"], [], ["Borel"]]
    assert rows[1]["error"] == "no text"
    said = undertow(*ask).stdout
    assert "acme rises\n" in said
    assert "could not be judged: no text\n" in said
    assert f"Borel: {rows[2]['companies']['Borel']['sentiment']}" in said


@pytest.mark.parametrize(
    "given", [[], ["a text", "--input", "f.jsonl"], ["--input", "f.jsonl", "--company", "A"]]
)
def test_the_command_wants_texts_or_a_file_of_them(undertow, given):
    result = undertow("predict", *given)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_parquet_file_of_texts_keeps_its_times(classifier, tmp_path):
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    rows = pyarrow.Table.from_pylist([{"text": "acme rises", "at": at}])
    pyarrow.parquet.write_table(rows, tmp_path / "in.parquet")
    predict_file(classifier, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert row["at"] == str(at)
