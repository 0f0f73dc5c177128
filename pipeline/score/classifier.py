"""The model as scoring sees it: stories in, verdicts out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.score.plan import Failed, VerdictLike
from pipeline.types import WaitingStory

if TYPE_CHECKING:
    from model.inference import Classifier


class StoryClassifier:
    """Wraps `model.inference.Classifier`: mentions become spans, failures become values."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self.languages: Sequence[str] = tuple(classifier.languages)
        self.version: str = classifier.version

    @classmethod
    def load(cls, path: Path | None, *, device: str, dtype: str, compile: bool = False) -> StoryClassifier:
        """Loads a model directory (None: the starter). Raises model.errors.ModelError if its files do not verify."""
        from model.threads import share_cores

        share_cores()
        from model.inference import Classifier

        return cls(Classifier.load(path, device=device, dtype=dtype, compile=compile))

    def __call__(self, stories: Sequence[WaitingStory]) -> Sequence[VerdictLike | Failed]:
        """One verdict per story, in their order."""
        from model.inference import Failure, Mentioned, TextInput

        inputs = [
            TextInput(story.text, tuple(Mentioned(mention.name, mention.spans) for mention in story.mentions))
            for story in stories
        ]
        verdicts = self._classifier.predict(inputs)
        return [Failed(v.reason) if isinstance(v, Failure) else v for v in verdicts]

    def words(self, text: str, spans: Sequence[tuple[int, int]] = ()) -> list[tuple[str, float]]:
        """Each word and what it adds to the score of the story, or of the company that stands at `spans`.

        Raises model.errors.ModelError.
        """
        from model.inference import Mentioned

        asked = Mentioned("the company", tuple(spans)) if spans else None
        return [(c.token, c.contribution) for c in self._classifier.explain(text, asked)]
