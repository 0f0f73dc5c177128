"""What a run of ingestion did, as counts."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.types import Report


@dataclass(slots=True)
class IngestReport(Report):
    """What a run did. Feeds by outcome, items by the conservation law, and what grouping made of the new ones."""

    feeds: int = 0
    ok: int = 0
    not_modified: int = 0
    same_body: int = 0
    error: int = 0
    egress_down: int = 0
    seen: int = 0
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    stories: int = 0
    copies: int = 0
    mentions: int = 0
