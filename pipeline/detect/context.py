"""What the alerts of one tick are followed with, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pipeline.detect.rules import Rules
from pipeline.detect.scene import Scene
from pipeline.detect.tick import Findings
from pipeline.store.models import StoredModel


@dataclass(frozen=True)
class TickContext:
    """One tick with everything that its alerts depend on.

    `as_of` is when the run happens: after `tick_at`, by days where ticks are caught up.
    """

    scene: Scene
    findings: Findings
    rules: Rules
    champion: StoredModel
    tick_at: datetime
    as_of: datetime


@dataclass(slots=True)
class Followed:
    """States of the series that have an episode and their alerts, by index; what happened, as counts."""

    states: dict[int, str] = field(default_factory=dict)
    alert_ids: dict[int, int] = field(default_factory=dict)
    opened: int = 0
    risen: int = 0
    resolved: int = 0
    messages: int = 0
