"""Comparisons of figures are found, made by arithmetic, and said behind the present figure; names stay where they were."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from model.batches import Collator, with_comparisons
from model.encoders import load_model
from model.example import CompanyLabel, Example, find_spans
from model.figures import READ, compare_figures
from model.finetune import finetune
from model.inference import Classifier
from model.registry import load_manifest
from model.verdict import TextInput

AT = "2026-01-31T00:00:00+00:00"


@pytest.mark.parametrize(
    "said",
    [
        "Net sales were EUR 6.2 mn[higher] (5.1).",
        "Net sales were EUR 5.1 mn[lower] (6.2).",
        "Operating profit was EUR 3.3 mn[same] (EUR 3.3 mn).",
        "Sales totalled EUR 14.1 mn[higher] , compared to EUR 12.3 mn a year ago .",
        "Net debt stood at SEK 4.6 bn[higher] on 30 June , against SEK 3.4 bn twelve months before .",
        "Passengers numbered 1,118,300[higher] in July versus 1,042,900 in July 2009 .",
        "Churn was 15.6 %[higher] , while in the preceding quarter it had been 12.1 % .",
        "Q3 EPS $0.52[higher] vs $0.48 consensus; revenue $1.1B[higher] vs. $950M est.",
        "Adj EPS: $1.44[lower] (est $1.64)",
        "Growth of 7 to 9 %[higher], up from 4 to 6 %",
        "The result was minus EUR 0.3 mn[higher], after minus EUR 2.8 mn in the year before.",
        "The result was EUR -0.3 mn[higher], after EUR -2.8 mn in the year before.",
        "The result was EUR -0.3 mn[lower], compared to EUR 0.2 mn in the year before.",
        "Sales doubled to EUR131m[higher] from EUR76m, and the margin fell to 3%[lower] from 4.5%",
        "sales increased by 5 percent to 4,3 mln euros[higher] from 3.9 mln euros",
        "Sales of 5.1 lakh[higher] (4.2 lakh)",
        "Recurring revenue 68 %[higher] of net sales ( 55 % ) .",
        "EBIT EUR 17.9 mn[higher] , prior year EUR 12.2 mn",
        "Hetzendorf made EUR 2 mn[lower], EUR 9 mn a year earlier.",
        "Order intake EUR 214 mn[higher] ( Q1/2009 : EUR 131 mn ) .",
        "Leverage 4.6x[higher] vs 3.2x at last year-end",
        "Sees Q2 EPS $1.40-$1.50[higher] vs $1.30 consensus",
        "Net profit - EUR 5.2 mn[higher] (4.8)",
        "Initial jobless claims 965,000[lower] vs. 1.1 million expected",
        "Rs 1.2 lakh crore[higher] vs Rs 95,000 crore",
        "Net sales EUR 1 180 mn[lower] (1 250)",
        "Net sales were EUR 88 mn[lower] , compared with EUR 94 mn , but profit was EUR 7.1 mn[higher] , compared with EUR 4.6 mn .",
        "Operating loss EUR 0.4 mn[lower] (loss 3.3), net sales EUR 15.2 mn[higher] (12.0)",
    ],
)
def test_the_present_figure_first(said: str) -> None:
    assert_said(said)


@pytest.mark.parametrize(
    "said",
    [
        "Earnings per share went from EUR 0.31 in 2007 to EUR 0.24[lower] .",
        "Against EUR 9.3 mn in 2005 , operating profit reached just EUR 7.7 mn[lower] in 2006 .",
        "While the loss had been EUR 2.9 mn in 2004 , it came in at EUR 5.6 mn[higher] in 2005 .",
        "The price went in 1 single day from $94.97 to $380.00[higher].",
        "Return on equity: from 8 to 13 percent[higher].",
        "  Against EUR 9.3 mn in 2005, profit reached EUR 7.7 mn[lower]",
    ],
)
def test_the_past_figure_first(said: str) -> None:
    assert_said(said)


@pytest.mark.parametrize(
    "said",
    [
        "a pre-tax profit of EUR1m[higher] from a pre-tax loss of EUR7m",
        "There was a loss of EUR 4 mn[lower], compared with a profit of EUR 1 mn.",
        "net loss PLN 12M[lower] vs loss PLN 88M",  # a smaller loss: "loss ... lower" is for the network to judge
    ],
)
def test_a_profit_is_more_than_a_loss(said: str) -> None:
    assert_said(said)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Profit rose 5 % in 2009 from 2008.",
        "Shares rose 5 % to EUR 3 on 12 March.",
        "Acme to buy a 30% stake for $5M after raising $20M in 3 rounds",
        "Rupee falls 31 paise vs US dollar to one-week low of 61.41",
        "Up 5 % from EUR 3",
        "Sales of EUR 5 mn in Norway (3 shops there and 2 in Sweden)",
        "6.2 defects per 100 cars against fewer before",
        "$25.0 million, or $0.52 per share, compared with $20.0 million, or $0.41 per share",
        "16 trillion won ($12.2 billion)",
        "The dividend is USD 0.92, compared with USD 20 mn a year ago",
        "Net sales were EUR 120 mn, while operating profit was EUR 8 mn.",
        "EUR 12 mn for the 9 months to September, compared with EUR 10 mn",
        "Deliveries rose 12% from 45,000 a year ago",
        "raised $5 million from 20 investors",
        "12 charges against 3 executives",
        "50 bps vs 0.25% expected",
        "net loss of $20 million after a $15 million impairment charge",
        "GDP grew 2.1% last year, 3.4% this year",
        "The shops range from 1,000 square feet to 10,000",
        "5 MİO euroſ vs 4",  # letters that match without regard to case and are no others in lower case
        "Acme beats by $0.04, misses by $0.02 on revenue",
        "A 12-month contract from 1 May to 30 April",
        "After 3 years, a version 2.0",
        "La banca chiude a 5 euro contro 4",
    ],
)
def test_no_comparison_no_word(text: str) -> None:
    assert compare_figures(text).text == text
    assert compare_figures(text).inserted == ()


def test_names_keep_their_places() -> None:
    text = "EPS of 3M was $2.10 vs. $1.95; Acme's sales were EUR 5 mn (6), said Acme"
    spans = find_spans(text, "3M") + find_spans(text, "Acme")
    read = compare_figures(text)
    assert len(read.inserted) == 2
    assert [read.text[a:b] for a, b in read.moved(spans)] == ["3M", "Acme", "Acme"]


def test_an_example_is_read_with_its_companies() -> None:
    text = "Sales were EUR 5 mn (6), said Acme"
    example = Example(text, companies=(CompanyLabel("Acme", find_spans(text, "Acme"), "negative"),))
    read = with_comparisons(example)
    assert read.text == "Sales were EUR 5 mn lower (6), said Acme"
    assert [read.text[a:b] for c in read.companies for a, b in c.spans] == ["Acme"]


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000,
        "1,111" * 20_000,
        "5 from " * 20_000,
        "EUR 5 mn " + "while had " * 20_000 + "EUR 4 mn",
        "- " * 50_000 + "5 vs 4",
        "5" + " a" * 100_000 + " vs 4",
        "(" * 50_000 + "5 (4",
    ],
)
def test_a_hostile_text_costs_little(text: str) -> None:
    before = time.process_time()
    compare_figures(text)
    assert time.process_time() - before < 0.5


def test_a_model_is_told_as_it_was_taught(tiny_model, tiny_config, tiny_source, tmp_path):
    """One taught without comparisons, as all before there were any, reads plain text, and so does what goes on from it."""
    text, told = "acme sales 5 (4)", "acme sales 5 higher (4)"
    assert load_model(tiny_model).compares
    assert token_ids(tiny_model, text) == token_ids(tiny_model, told)
    config = dataclasses.replace(tiny_config, epochs=1, compare_figures=False)
    finetune(config, [tiny_source], tmp_path / "plain", created_at=AT, device="cpu", command="test")
    assert token_ids(tmp_path / "plain", text) != token_ids(tmp_path / "plain", told)
    further = dataclasses.replace(config, start=str(tmp_path / "plain"), compare_figures=True)
    finetune(further, [tiny_source], tmp_path / "on", created_at=AT, device="cpu", command="test")
    assert not load_manifest(tmp_path / "on").settings["compare_figures"]
    assert token_ids(tmp_path / "on", text) != token_ids(tmp_path / "on", told)


def test_training_reads_what_scoring_reads(tiny_model):
    text = "borel sales 5 (4), acme"
    example = Example(text, companies=(CompanyLabel("acme", find_spans(text, "acme"), "negative"),))
    loaded = load_model(tiny_model)
    batch = Collator(loaded.tokenizer, compare=loaded.compares)([example])
    item = Classifier.load(tiny_model, "cpu", "fp32")._prepare(TextInput(text, ["acme"]))
    assert batch["input_ids"][0].tolist() == item.ids
    assert batch["mentions"][0, 0].nonzero().flatten().tolist() == item.positions[0]


def token_ids(model: Path, text: str) -> list[int]:
    return Classifier.load(model, "cpu", "fp32")._prepare(text).ids


def test_only_what_can_be_read_is_looked_at() -> None:
    far = " " * READ + "EUR 5 mn (4)"
    assert compare_figures(far).text == far


def assert_said(said: str) -> None:
    """`said` is the text with what is put in between brackets."""
    plain, told = said, said
    for word in ("higher", "lower", "same"):
        plain, told = plain.replace(f"[{word}]", ""), told.replace(f"[{word}]", f" {word}")
    assert compare_figures(plain).text == told
