"""The model that ships: it loads offline, refuses to be changed, knows ten headlines and keeps its floors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model.errors import BaseModelError, ModelFileError
from model.evaluate import behave, suite_digest
from model.inference import Classifier, TextInput, Verdict
from model.registry import STARTER, load_manifest, verify

FLOORS = json.loads((Path(__file__).parents[3] / "model" / "floors.json").read_text())

HEADLINES = [
    ("Acme warns on full-year profit after weak demand", "negative", "financials"),
    ("Borel raises full-year guidance as orders hit a record", "positive", None),
    ("Fed leaves interest rates unchanged", "neutral", "central_banks"),
    ("Oil slides 4% as stockpiles build up", "negative", "energy"),
    ("Novo Labs wins approval for its cancer drug, shares jump", "positive", None),
    ("Bank names new chief financial officer", "neutral", "personnel"),
    ("Regulator fines lender $200 million over sanctions breaches", "negative", "legal_regulation"),
    ("Chipmaker to report third-quarter results on 12 November", "neutral", None),
    ("Retailer files for bankruptcy protection", "negative", None),
    ("Quarterly dividend raised 10% to $0.44 a share", "positive", "dividend"),
]


@pytest.fixture(scope="module")
def starter():
    return Classifier.load(device="cpu")


def test_the_starter_is_whole_small_and_permissive():
    manifest = verify(STARTER)
    assert sum(p.stat().st_size for p in STARTER.iterdir()) <= 25_000_000
    assert manifest.use == "commercial"
    assert all(source["commercial"] for source in manifest.data)
    assert {source["name"] for source in manifest.data} >= {"sentfin", "tfns", "tfn_topic", "own"}
    assert manifest.command.startswith("undertow starter")
    assert not list(STARTER.glob("*.bin"))


@pytest.mark.parametrize(("text", "sentiment", "topic"), HEADLINES)
def test_headlines_of_todays_kind_are_read_as_people_read_them(starter, text, sentiment, topic):
    (verdict,) = starter.predict([text])
    assert verdict.sentiment.label == sentiment
    assert topic is None or topic in verdict.main_topics()


def test_each_company_gets_its_own_verdict(starter):
    (verdict,) = starter.predict(
        [TextInput("Shares of Acme surge; shares of Borel plunge", ["Acme", "Borel"])]
    )
    assert (verdict.companies["Acme"].label, verdict.companies["Borel"].label) == ("positive", "negative")


def test_same_text_same_verdict_in_any_company(starter):
    texts = [text for text, _, _ in HEADLINES]
    together = starter.predict([*texts, "a much longer text " * 30])
    for text, verdict in zip(texts, together, strict=False):
        (alone,) = starter.predict([text])
        assert isinstance(verdict, Verdict)
        assert alone.sentiment.label == verdict.sentiment.label
        assert alone.sentiment == pytest.approx(verdict.sentiment, abs=0.01)


def test_the_behavioural_suite_keeps_its_floors(starter):
    """A lower floor needs a line in model/LOG.md; a changed suite needs its floors measured again."""
    assert FLOORS["behaviour_sha256"] == suite_digest()
    found = behave(starter)
    assert found.overall >= FLOORS["overall"]
    low = {kind: rate for kind, rate in found.kinds.items() if rate < FLOORS["kinds"][kind]}
    assert not low


def test_a_changed_starter_and_another_base_are_refused(tmp_path, monkeypatch):
    copy = Path(shutil.copytree(STARTER, tmp_path / "starter"))
    other = tmp_path / "base"
    other.mkdir()
    monkeypatch.setattr("model.registry.find_base", lambda name: ("package", other))
    with pytest.raises(BaseModelError, match="not the file"):
        Classifier.load(copy, "cpu")
    for name in load_manifest(copy).base.files:  # all are there, and say something else
        (other / name).write_text("{}")
    with pytest.raises(BaseModelError, match="not the file"):
        Classifier.load(copy, "cpu")
    monkeypatch.undo()
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(text.replace('"temperatures"', '"temperature"'))
    with pytest.raises(ModelFileError):
        Classifier.load(copy, "cpu")


def test_the_card_shows_the_manifest_s_figures():
    card = (STARTER / "README.md").read_text()
    manifest = load_manifest(STARTER)
    assert manifest.version in card
    assert f"{manifest.metrics['stored']['sentiment/tfns']['macro_f1']:.3f}" in card
