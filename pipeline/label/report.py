"""The report of a retraining: one HTML file that an analyst can read, no network. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from model.labels import SENTIMENTS
from pipeline.label.gate import Verdict

if TYPE_CHECKING:
    from pipeline.store.retrainings import Retraining


def render_report(
    row: Retraining, champion: str, challenger: str, measured: Mapping[str, Any], verdict: Verdict
) -> str:
    """HTML of one retraining: data and licences, figures against the champion, what flipped, the gate's reasons."""
    return _template().render(
        row=row,
        champion=champion,
        challenger=challenger,
        evidence=measured["evidence"],
        reports=measured["reports"],
        sets=measured["sets"],
        flips=measured["flips"],
        verdict=verdict,
        sentiments=SENTIMENTS,
    )


@cache
def _template() -> jinja2.Template:
    # texts are hostile: everything is escaped
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.label", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: "-" if share is None else f"{share:.1%}"
    environment.filters["figure"] = lambda value: f"{value:.3f}"
    return environment.get_template("retraining.html")
