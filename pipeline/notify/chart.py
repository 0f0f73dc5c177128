"""The chart of an alert as PNG: negative stories an hour over the last days, on the band that is usual. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from io import BytesIO
from typing import Any

from pipeline.notify.card import CardPoint

# CSS pixels in the mail; the file has twice as many, for screens that do.
WIDTH, HEIGHT = 576, 176
DPI = 192
CSS_DPI = 96
# Its own light ground: mail clients that darken pages leave images alone, and axis labels must stay readable.
GROUND, INK, SOFT, GRID, BAND = "#ffffff", "#101828", "#667085", "#eaecf0", "#d0d5dd"
TONES = {"critical": "#d92d20", "warning": "#dc6803", "resolved": "#667085"}


def draw(points: Sequence[CardPoint], tone: str, zone: tzinfo) -> bytes:
    """PNG of `points`, oldest first. Hours above their band are drawn in the colour of `tone`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / CSS_DPI, HEIGHT / CSS_DPI), dpi=DPI, facecolor=GROUND)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.06, 0.16, 0.925, 0.77), facecolor=GROUND)
    _plot(axes, points, TONES.get(tone, SOFT))
    _dress(axes, points, zone)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor=GROUND, metadata={"Software": None})
    return buffer.getvalue()


def _plot(axes: Any, points: Sequence[CardPoint], colour: str) -> None:
    hours = range(len(points))
    edges = [i - 0.5 for i in hours] + [len(points) - 0.5]
    low, high = [p.low for p in points], [p.high for p in points]
    axes.fill_between(
        edges, [*low, low[-1]], [*high, high[-1]], step="post", color=BAND, alpha=0.55, linewidth=0
    )
    expected = [p.expected for p in points]
    axes.step(edges, [*expected, expected[-1]], where="post", color=SOFT, linewidth=0.8)
    colours = [colour if p.negative > p.high else INK for p in points]
    axes.bar(hours, [p.negative for p in points], width=0.72, color=colours, linewidth=0)


def _dress(axes: Any, points: Sequence[CardPoint], zone: tzinfo) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.set_ylim(0, max([4.0, *(p.negative * 1.08 for p in points), *(p.high * 1.08 for p in points)]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    locals_ = [p.at.astimezone(zone) for p in points]
    midnights = [i for i, at in enumerate(locals_) if at.hour == 0]
    axes.set_xticks(midnights, [f"{locals_[i]:%a} {locals_[i].day}" for i in midnights], ha="left")
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, labelsize=8, length=0, pad=3)
    for spine in axes.spines.values():
        spine.set_visible(False)
