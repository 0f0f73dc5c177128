"""A model's card, written from its manifest: what it is, what it learnt from, how good it is, what it cannot do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from model.registry import Manifest

_ROWS: Final = (
    ("sentiment/tfns", "Sentiment of tweets (TFNS)"),
    ("sentiment/sentfin", "Sentiment of headlines of one polarity (SEntFiN)"),
    ("sentiment/own", "Sentiment of newswire statements (our own texts)"),
    ("company/sentfin", "Sentiment of each company (SEntFiN)"),
    ("company_mixed/sentfin", "The same, in headlines whose companies differ"),
    ("topics/tfn_topic", "Topic of tweets (TFN-topic)"),
)

_TEXT: Final = """\
# {title}

Version `{version}`, made {created_at}. Reads English financial news: the sentiment of a story, the sentiment of each
company named in it, and which of twenty topics it is about. The encoder is `{base}` (MiniLM-L6, 22.7 million
parameters, Apache-2.0); this folder holds its six layers and our heads in bf16, the words' vectors are read
from the installed package after its digest was checked.{compares}{wide}

## How good it is

Measured on the stored files, through the same door that scores news, on a development split that was never trained
on: a tenth of the stories, near copies kept on one side. Intervals in the manifest. In brackets: the calibration error
that a perfectly calibrated model would show on so few labels.

{figures}

Behavioural suite ({cases} hand-written cases, never trained on): **{overall:.1%}**.

{kinds}

## What it learnt from

{data}
{teacher}
Each source permits commercial use, and training refuses a source that does not. Financial PhraseBank and FiQA were
not used: their licences forbid it.

## Make it again

    {command}

DIR holds the public sets in the folders that `model/starter.toml` names; the digests of the files used are in
`manifest.json`. {base_of_teacher}{time}

## What it is not for

- It reads what a text says of a company; it does not know prices, nor whether the text is true.
- Sarcasm, long articles (it reads the first {max_tokens} tokens) and other languages than English are beyond it.
- Two companies in one sentence are told apart by what stands around their names. Where the sentence needs knowledge of
  the trade ("A overtakes B in lithium"), it often gives both the story's sentiment.
- Probabilities are calibrated on the development split; on texts of another kind they are less honest. Label some and
  retrain.
"""

_COMPARES: Final = """

Of figures that a text compares ("EUR 14.1 mn, compared to EUR 12.3 mn") arithmetic says which is larger, and the network reads
that as a word (`model/figures.py`); what it means for a company it learnt."""

_WIDE: Final = """

Beside the network stand tables of runs of tokens (`model/wide.py`), a linear model fitted to the same training parts; its
logits are added to the network's for the sentiment and the topics of a story, not for companies. Names marked as
companies were hidden from it."""


def render_card(manifest: Manifest, title: str = "The starter") -> str:
    """Markdown of the card of a measured model (`metrics` holds `stored` and `behaviour`)."""
    stored, behaviour = manifest.metrics["stored"], manifest.metrics["behaviour"]
    seconds = manifest.metrics.get("train_seconds")
    return _TEXT.format(
        title=title,
        version=manifest.version,
        created_at=manifest.created_at[:10],
        base=manifest.base.name,
        compares=_COMPARES if manifest.settings.get("compare_figures") else "",
        wide=_WIDE if manifest.settings.get("wide_share") else "",
        figures=_figures(stored),
        cases=behaviour["cases"],
        overall=behaviour["overall"],
        kinds=_table(["kind", "passed"], [[k, f"{v:.0%}"] for k, v in behaviour["kinds"].items()]),
        data=_table(["source", "examples", "drawn per epoch", "licence"], _sources(manifest.data)),
        teacher=_teacher(manifest.teacher),
        command=manifest.command,
        base_of_teacher=_base_of_teacher(manifest.teacher),
        time=_time(seconds, manifest.teacher.get("train_seconds")),
        max_tokens=manifest.max_tokens,
    )


def _teacher(teacher: Mapping[str, Any]) -> str:
    """A paragraph on the model that filled in the labels these sets lack; empty without one."""
    if not teacher:
        return ""
    return (
        f"\nA teacher, `{teacher['base']['name']}` fine-tuned on the same training "
        "parts, gave its\nprobabilities where a text has no label of a kind (sentiment of tweets that have a topic, and the "
        f"reverse) and counted\n{teacher['share']:.0%} beside the labels that are there. The development split was not shown "
        "to it.\n"
    )


def _base_of_teacher(teacher: Mapping[str, Any]) -> str:
    if not teacher:
        return ""
    name = teacher["base"]["name"]
    return f"--teacher names a folder with the files of `{name}`; left out, they come from the hub.\n"


def _time(student: float | None, teacher: float | None) -> str:
    if not student:
        return ""
    if not teacher:
        return f"It took {student / 60:.0f} minutes to train."
    return f"It took {teacher / 60:.0f} minutes to train the teacher and {student / 60:.0f} to train this."


def _figures(stored: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [title, f"{r['n']:,.0f}", f"{r['accuracy']:.3f}", f"{r['macro_f1']:.3f}", _calibration(r)]
        for key, title in _ROWS
        if (r := stored.get(key))
    ]
    return _table(["", "labels", "accuracy", "macro F1", "calibration error (by chance)"], rows)


def _calibration(row: Mapping[str, Any]) -> str:
    return f"{row['ece']:.3f}" + (f" ({row['ece_by_chance']:.3f})" if "ece_by_chance" in row else "")


def _sources(data: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row per source, its files together."""
    totals: dict[str, int] = {}
    for file in data:
        totals[file["name"]] = totals.get(file["name"], 0) + file["examples"]
    first = {file["name"]: file for file in reversed(data)}
    return [
        [str(first[n]["origin"] or n), f"{total:,}", f"{first[n]['weight']:g} x", str(first[n]["licence"])]
        for n, total in totals.items()
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
