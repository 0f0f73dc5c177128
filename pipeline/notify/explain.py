"""Finds the words that made the stories of waiting alerts bad news, before the alerts are told.

An alert goes out without them rather than late or not at all: what fails here is logged, and tried
again at the next run for what is not sent by then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from pipeline.notify.view import STORIES
from pipeline.notify.words import weighty
from pipeline.store import words
from pipeline.store.engine import Engine

log = logging.getLogger(__name__)

#: Stories explained in one run (each takes about a quarter of a second), and the characters read of each: a word costs a reading.
MOST_STORIES = 24
MOST_CHARS = 400

#: (text, where the company stands in it or () for the story) -> each word and what it adds to the score.
Explain = Callable[[str, Sequence[tuple[int, int]]], Iterable[tuple[str, float]]]


def explain_waiting(
    engine: Engine, model_version_id: int, load: Callable[[], Explain], as_of: datetime
) -> int:
    """Stores the words of stories that unsent alerts show; `load` gives the model, only where there are any."""
    with engine.connect() as connection:
        stories = words.wanted(connection, model_version_id, STORIES, MOST_STORIES)
    if not stories:
        return 0
    explain = load()
    for story in stories:
        text = story.text[:MOST_CHARS]
        # all of them, as the verdict was made: one spelling alone may be told something else
        spans = [(start, end) for start, end in story.spans if end <= MOST_CHARS]
        found = weighty(explain(text, spans)) if spans or story.company_id is None else []
        with engine.begin() as connection:
            words.save(connection, story, model_version_id, found, as_of)
    return len(stories)


def try_to_explain(
    engine: Engine, model_version_id: int, load: Callable[[], Explain], as_of: datetime
) -> int:
    """The same, but it never raises."""
    try:
        return explain_waiting(engine, model_version_id, load, as_of)
    except Exception:
        log.exception("alerts go out without their words")
        return 0
