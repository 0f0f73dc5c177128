"""The model behind scoring: loaded so that it leaves the cores to others while it waits."""

from __future__ import annotations

import subprocess
import sys


def test_waiting_threads_sleep_unless_the_operator_says_otherwise(monkeypatch):
    # in a process of its own: the policy is read once, when torch is loaded
    script = (
        "import os, sys\n"
        "from pipeline.score.classifier import StoryClassifier\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['model.inference'] = None  # stops the load after the policy is set\n"
        "try:\n    StoryClassifier.load(None, device='cpu', dtype='auto')\n"
        "except ImportError:\n    print(os.environ['OMP_WAIT_POLICY'])\n"
    )

    def said() -> str:
        command = [sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said() == "PASSIVE\n"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert said() == "ACTIVE\n"


def test_words_of_a_company_are_asked_for_at_every_place_where_it_stands():
    from model.verdict import Contribution, Mentioned
    from pipeline.score.classifier import StoryClassifier

    asked = []

    class Explaining:
        languages, version = ("en",), "v1"

        def explain(self, text, company):
            asked.append(company)
            return [Contribution("slumps", 5, 11, -0.5)]

    stories = StoryClassifier(Explaining())
    assert stories.words("Acme slumps", [(0, 4)]) == stories.words("It slumps") == [("slumps", -0.5)]
    assert asked == [Mentioned("the company", ((0, 4),)), None]
