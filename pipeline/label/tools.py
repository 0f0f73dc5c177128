"""Label Studio tasks and Argilla records, both ways. Pure: decoded JSON in, labels out.

Both tools show the text with questions named `sentiment` (one choice), `topics` (several) and `company` (spans over
company names, each with a sentiment). A span names its company by the words under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from model.labels import LABEL_SCHEMA_VERSION, SENTIMENTS, TOPICS
from pipeline.label.records import UNREADABLE, FileLabel, Mistake, StoredLabel, read_row

# How a Label Studio project has to be set up for these tasks: `undertow labels export --format label-studio` says so.
LABEL_STUDIO_CONFIG = "\n".join(
    [
        "<View>",
        '  <Text name="text" value="$text"/>',
        '  <Choices name="sentiment" toName="text" choice="single" showInline="true">',
        *[f'    <Choice value="{name}"/>' for name in SENTIMENTS],
        "  </Choices>",
        '  <Labels name="company" toName="text">',
        *[f'    <Label value="{name}"/>' for name in SENTIMENTS],
        "  </Labels>",
        '  <Choices name="topics" toName="text" choice="multiple">',
        *[f'    <Choice value="{name}"/>' for name in TOPICS],
        "  </Choices>",
        "</View>",
    ]
)


# ---- Label Studio


def read_label_studio(tasks: Sequence[Mapping[str, Any]]) -> Iterator[FileLabel | Mistake]:
    """Labels of exported tasks (JSON, not JSON_MIN); cancelled annotations are left out."""
    for number, task in enumerate(tasks, 1):
        if not isinstance(task.get("data"), Mapping):
            yield Mistake(number, "a task without data: export as JSON, not as JSON_MIN")
            continue
        yield from _read(_rows_of_task, task, number)


def _rows_of_task(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for annotation in task.get("annotations") or ():
        if not annotation.get("was_cancelled"):
            yield _from_annotation(task["data"], annotation)


def _from_annotation(data: Mapping[str, Any], annotation: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = _identity(data) | {"company_sentiment": {}}
    row["labelled_by"] = _person(annotation.get("completed_by"))
    row["labelled_at"] = annotation.get("created_at")
    for result in annotation.get("result") or ():
        value: Mapping[str, Any] = result.get("value") or {}
        if result.get("from_name") == "sentiment":
            row["sentiment"] = value["choices"][0]
        elif result.get("from_name") == "topics":
            row["topics"] = value["choices"]
        elif result.get("from_name") == "company":
            words = value.get("text") or str(data.get("text", ""))[int(value["start"]) : int(value["end"])]
            row["company_sentiment"][words] = value["labels"][0]
    return row


def _person(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return value.get("email") or value.get("username") or str(value.get("id"))
    return None if value is None else f"label-studio:{value}"


def to_label_studio(labels: Iterable[StoredLabel]) -> list[dict[str, Any]]:
    """Tasks with annotations; articles without labels become tasks to do."""
    tasks = []
    for of_article in _by_article(labels).values():
        first = of_article[0]
        people = _by_person(of_article)
        tasks.append(
            {
                "data": _data(first) | {"text": first.text},
                "annotations": [
                    {
                        "completed_by": {"email": person},
                        "created_at": _time(mine[0]),
                        "was_cancelled": False,
                        "result": [result for label in mine for result in _results(label)],
                    }
                    for person, mine in people.items()
                ],
            }
        )
    return tasks


def _results(label: StoredLabel) -> Iterator[dict[str, Any]]:
    if label.target == "company":
        for start, end in _spans(label):
            value = {"start": start, "end": end, "text": label.text[start:end], "labels": [label.sentiment]}
            yield {"from_name": "company", "to_name": "text", "type": "labels", "value": value}
    else:
        name = "sentiment" if label.target == "story" else "topics"
        choices = [label.sentiment] if label.target == "story" else list(label.topics or ())
        yield {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": choices}}


# ---- Argilla


def read_argilla(records: Sequence[Mapping[str, Any]]) -> Iterator[FileLabel | Mistake]:
    """Labels of `dataset.records.to_json(path)`: responses by question, each with value and user_id."""
    for number, record in enumerate(records, 1):
        yield from _read(_rows_of_record, record, number)


def _rows_of_record(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    text = str((record.get("fields") or {}).get("text", ""))
    people: dict[str | None, dict[str, Any]] = defaultdict(dict)
    for question, responses in (record.get("responses") or {}).items():
        for response in responses:
            if response.get("status", "submitted") == "submitted":
                people[response.get("user_id")][question] = response.get("value")
    for person, answers in people.items():
        row = _identity(record.get("metadata") or {})
        spans = answers.get("company") or ()
        row["company_sentiment"] = {text[s["start"] : s["end"]]: s["label"] for s in spans}
        row |= {"sentiment": answers.get("sentiment"), "topics": answers.get("topics")}
        row |= {"labelled_by": person, "labelled_at": record.get("updated_at")}
        yield row


def to_argilla(labels: Iterable[StoredLabel]) -> list[dict[str, Any]]:
    """Records for `dataset.records.from_json(path)`; articles without labels have no responses."""
    records = []
    for article_id, of_article in _by_article(labels).items():
        first = of_article[0]
        responses: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for person, mine in _by_person(of_article).items():
            for question, value in _answers(mine).items():
                responses[question].append({"value": value, "user_id": person, "status": "submitted"})
        records.append(
            {
                "id": str(article_id),
                "fields": {"text": first.text},
                "metadata": _data(first),
                "responses": dict(responses),
            }
        )
    return records


def _answers(labels: Sequence[StoredLabel]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for label in labels:
        if label.target == "story":
            answers["sentiment"] = label.sentiment
        elif label.target == "topics":
            answers["topics"] = list(label.topics or ())
        else:
            spans = [{"start": a, "end": b, "label": label.sentiment} for a, b in _spans(label)]
            answers.setdefault("company", []).extend(spans)
    return answers


# ---- both


def _read(
    rows_of: Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]], record: Mapping[str, Any], number: int
) -> Iterator[FileLabel | Mistake]:
    """The labels of a record, or that it is not as its tool exports it."""
    try:
        rows = list(rows_of(record))
    except UNREADABLE as error:
        yield Mistake(number, f"not as the tool exports it ({type(error).__name__}: {error})")
        return
    for row in rows:
        yield from read_row(row, number)


def _identity(data: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("article_id", "feed", "guid", "url", "title", "schema_version", "queue_reason")
    return {key: data.get(key) for key in keys}


def _data(label: StoredLabel) -> dict[str, Any]:
    keys = ("article_id", "feed", "guid", "url", "title")
    data = {key: getattr(label, key) for key in keys} | {"schema_version": LABEL_SCHEMA_VERSION}
    return {key: value for key, value in data.items() if value is not None}


def _by_article(labels: Iterable[StoredLabel]) -> dict[int, list[StoredLabel]]:
    articles: dict[int, list[StoredLabel]] = defaultdict(list)
    for label in labels:
        articles[label.article_id].append(label)
    return articles


def _by_person(labels: Iterable[StoredLabel]) -> dict[str, list[StoredLabel]]:
    people: dict[str, list[StoredLabel]] = defaultdict(list)
    for label in labels:
        if label.target is not None:
            people[label.labelled_by].append(label)
    return people


def _spans(label: StoredLabel) -> tuple[tuple[int, int], ...]:
    return dict(label.mentions).get(label.company or "", ())


def _time(label: StoredLabel) -> str | None:
    return label.labelled_at.isoformat() if label.labelled_at else None
