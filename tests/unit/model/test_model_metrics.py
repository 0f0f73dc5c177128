"""Figures against other people's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_recall_fscore_support

from model.batches import Logits
from model.calibrate import fit_calibration, labelled
from model.example import CompanyLabel, Example
from model.metrics import (
    bootstrap,
    calibrated,
    calibration_bins,
    calibration_noise,
    class_report,
    confusion,
    expected_calibration_error,
    macro_f1,
    paired_test,
    softmax,
)

RNG = np.random.default_rng(4)
TRUTH = RNG.integers(0, 3, 500)
SAID = np.where(RNG.random(500) < 0.7, TRUTH, RNG.integers(0, 3, 500))


@pytest.mark.parametrize("kind", ["micro", "macro", "weighted"])
def test_averages_equal_those_of_scikit_learn(kind):
    report = class_report(confusion(TRUTH, SAID, 3), ["a", "b", "c"])
    p, r, f, _ = precision_recall_fscore_support(TRUTH, SAID, average=kind)
    assert (report[kind]["precision"], report[kind]["recall"], report[kind]["f1"]) == pytest.approx((p, r, f))


def test_a_class_that_never_occurs_is_not_averaged():
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 1]), 3) == 1.0


def test_calibration_error_of_honest_and_of_boastful_probabilities():
    sure = RNG.uniform(0.5, 1, 20000)
    truth = (RNG.random(20000) >= sure).astype(int)
    honest = np.stack([sure, 1 - sure], 1)
    assert expected_calibration_error(honest, truth) < 0.02
    boast = np.stack([np.full(20000, 0.99), np.full(20000, 0.01)], 1)
    assert expected_calibration_error(boast, truth) == pytest.approx(0.99 - (truth == 0).mean(), abs=1e-6)
    assert sum(b["count"] for b in calibration_bins(honest, truth)) == 20000


def test_a_certain_answer_lies_in_the_last_bin():
    assert calibration_bins(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0])) == [
        {"confidence": 1.0, "right": 0.5, "count": 2}
    ]


def test_only_companies_and_stories_with_a_label_are_learnt_from():
    companies = (CompanyLabel("Acme", ((0, 4),)), CompanyLabel("Borel", ((10, 15),), "positive"))
    known = Example("Acme buys Borel", None, companies, ("macro",))
    said = Logits(torch.zeros(2, 3), torch.zeros(2, 20), torch.eye(3)[:2], [(0, 0), (0, 1)])
    heads = labelled(said, [known, Example("rain", "negative")])
    assert {head: len(truth) for head, (_, truth) in heads.items()} == {
        "sentiment": 1,
        "company": 1,
        "topics": 1,
    }
    logits, truth = heads["company"]
    assert (logits.tolist(), truth.tolist()) == ([[0.0, 1.0, 0.0]], [2])


def test_temperature_undoes_overconfidence():
    logits = RNG.normal(size=(5000, 3))
    truth = np.array([RNG.choice(3, p=p) for p in softmax(logits)])
    temperature, smoothing = fit_calibration(logits * 3, truth)
    assert temperature == pytest.approx(3, rel=0.1)
    assert smoothing <= 0.01
    assert fit_calibration(np.zeros((0, 3)), np.zeros(0, dtype=int)) == (1.0, 0.0)


def test_calibration_takes_off_what_label_smoothing_put_in():
    """A head that learnt to keep back 6 % cannot be mended by a temperature; no verdict changes, no class is ruled out."""
    means = softmax(RNG.normal(size=(20000, 3)) * 4)
    truth = np.array([RNG.choice(3, p=p) for p in means])
    logits = np.log(means * (1 - 0.06) + 0.06 / 3)
    temperature, smoothing = fit_calibration(logits, truth)
    assert (temperature, smoothing) == (pytest.approx(1, abs=0.1), pytest.approx(0.06, abs=0.011))
    mended = calibrated(logits, temperature, smoothing)
    best = min(expected_calibration_error(softmax(logits / t), truth) for t in np.linspace(0.5, 2, 16))
    assert expected_calibration_error(mended, truth) < 0.01 < best
    assert (mended.argmax(1) == logits.argmax(1)).all()
    assert mended.sum(1) == pytest.approx(np.ones(len(mended)))
    assert 0 < mended.min() < mended.max() < 1


def test_the_surest_answer_rules_no_class_out():
    sure = calibrated(np.array([[60.0, 0.0, -60.0]]), 0.5, 0.1)
    assert np.isfinite(sure).all()
    assert 0 < sure.min() < 1e-4


def test_the_interval_leaves_out_a_fortieth_on_either_side():
    low, high = bootstrap(lambda rows: rows[0] / 10_000, 10_000, rounds=4000)
    assert (low, high) == (pytest.approx(0.025, abs=0.01), pytest.approx(0.975, abs=0.01))


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    covered = 0
    for seed in range(60):
        sample = np.random.default_rng(seed).random(80)
        low, high = bootstrap(lambda i, s=sample: float(s[i].mean()), 80, rounds=200, seed=seed)
        covered += low <= 0.5 <= high
    assert 50 <= covered <= 60


def test_a_paired_test_sees_a_real_gain_and_no_gain():
    better = np.where(RNG.random(500) < 0.5, TRUTH, SAID)
    gain = paired_test(TRUTH, SAID, better, rounds=300)
    assert gain["mcnemar_p"] < 0.001
    assert gain["macro_f1_change_low"] > 0
    assert gain["macro_f1_change"] == pytest.approx(
        f1_score(TRUTH, better, average="macro") - f1_score(TRUTH, SAID, average="macro")
    )
    same = paired_test(TRUTH, SAID, SAID, rounds=50)
    assert (same["mcnemar_p"], same["accuracy_change"]) == (1.0, 0.0)


def test_each_of_two_may_have_a_right_answer_of_its_own():
    """Rows with two right answers: the second is judged by the one that it is nearest to."""
    twice = np.where(RNG.random(500) < 0.5, TRUTH, (TRUTH + 1) % 3)
    fair = paired_test(TRUTH, TRUTH, twice, truth_of_b=twice, rounds=50)
    assert (fair["mcnemar_p"], fair["accuracy_change"], fair["macro_f1_change"]) == (1.0, 0.0, 0.0)
    assert paired_test(TRUTH, TRUTH, twice, rounds=50)["accuracy_change"] < -0.4


def test_the_noise_of_a_calibration_error_is_what_honest_answers_show_by_chance():
    rng = np.random.default_rng(4)
    sure = rng.uniform(0.5, 1, 200)
    probabilities = np.stack([sure, 1 - sure], axis=1)
    honest = [
        expected_calibration_error(probabilities, (rng.uniform(size=200) > sure).astype(int))
        for _ in range(300)
    ]
    assert calibration_noise(probabilities, np.zeros(200, dtype=int)) == pytest.approx(
        np.mean(honest), rel=0.05
    )
