"""Models: the champion and those before it, how each judged, drift, retrainings; promote and go back, confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Path
from fastapi.responses import Response

from pipeline.desk import doors
from pipeline.desk.context import Ask, Plain, checks_form, needs
from pipeline.desk.reliability import counted_confusion, reliability
from pipeline.store import desk_models
from pipeline.store.desk_rows import Row
from pipeline.store.engine import Connection

router = APIRouter()

Version = Annotated[Plain, Path(max_length=200)]
# Population stability index as practitioners read it: below the first nothing moved, above the second it did.
DRIFT_SMALL, DRIFT_LARGE = 0.1, 0.25


@router.get("/models")
def models(ask: Ask) -> Response:
    with ask.desk.reading() as connection:
        versions = [{**row, **read_metrics(row["metrics"])} for row in desk_models.versions(connection)]
        champion = next((row for row in versions if row["is_champion"]), None)
        verdicts = desk_models.labelled_verdicts(connection)
        return ask.page(
            "models.html",
            versions=versions,
            champion=champion,
            confusion=counted_confusion(verdicts) or (champion and champion["confusion"]),
            labelled=sum(row["stories"] for row in verdicts),
            reliability=reliability(verdicts),
            history=desk_models.history(connection),
            retrainings=desk_models.retrainings(connection),
            drift=desk_models.drift(connection),
            small=DRIFT_SMALL,
            large=DRIFT_LARGE,
        )


@router.get("/models/{version}/promote", dependencies=[needs("operator")])
def confirm(ask: Ask, version: Version) -> Response:
    with ask.desk.reading() as connection:
        versions = [{**row, **read_metrics(row["metrics"])} for row in desk_models.versions(connection)]
    wanted = next((row for row in versions if row["version"] == version), None)
    if wanted is None:
        raise HTTPException(404)
    champion = next((row for row in versions if row["is_champion"]), None)
    return ask.page("model_confirm.html", wanted=wanted, champion=champion)


@router.post("/models/{version}/promote", dependencies=[needs("operator"), Depends(checks_form)])
def promote(
    ask: Ask, version: Version, reason: Annotated[Plain, Form(min_length=3, max_length=300)]
) -> Response:
    with ask.desk.reading() as connection:
        before = _champion_name(connection)
    doors.promote(
        ask.desk.engine, ask.desk.settings, version, by=ask.visitor.name, reason=reason, as_of=ask.as_of
    )
    with ask.desk.changing() as connection:
        ask.audit(connection, "promote model", version, before=before, reason=reason)
    return ask.go("/models", f"{version} is champion now.")


def _champion_name(connection: Connection) -> str | None:
    return next((row["version"] for row in desk_models.versions(connection) if row["is_champion"]), None)


def read_metrics(metrics: Any) -> Row:
    """The figures a page shows, looked up leniently: manifests of other times may lack some.

    What was measured of the stored files comes before what training itself said of its development split.
    `confusion` is rows of counts by true verdict, columns by the model's, with their labels.
    """
    places = list(_places(metrics if isinstance(metrics, dict) else {}))
    found = {name: _figure(places, names) for name, names in NAMES.items()}
    confusion = next((place["confusion"] for place in places if _is_confusion(place.get("confusion"))), None)
    return {**found, "confusion": confusion}


NAMES = {
    "accuracy": ("accuracy", "sentiment_accuracy"),
    "macro_f1": ("macro_f1", "f1_macro", "sentiment_f1"),
    "negative_recall": ("negative_recall", "recall_negative"),
    "calibration_error": ("ece", "expected_calibration_error", "calibration_error"),
    "behaviour": ("behaviour", "behaviour_pass_rate", "overall"),
}


def _places(metrics: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Where figures of the story's sentiment may stand, the best evidence first."""
    for outer in (metrics.get("stored"), metrics):
        if isinstance(outer, dict):
            yield from (outer[k] for k in ("sentiment", "story") if isinstance(outer.get(k), dict))
    yield metrics
    yield from (metrics[k] for k in ("behaviour", "dev") if isinstance(metrics.get(k), dict))


def _figure(places: list[dict[str, Any]], names: tuple[str, ...]) -> float | None:
    values = [place[name] for place in places for name in names if name in place]
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)


def _is_confusion(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("labels"), list)
        and isinstance(value.get("rows"), list)
    )
