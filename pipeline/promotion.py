"""Champions by hand: what a version is, one brought in, two of them compared, one promoted, the last one brought back."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import run
from pipeline.challenger import folder_of, loader
from pipeline.errors import ModelUnavailable, UsageError
from pipeline.run import Line, now
from pipeline.store import models, retrainings
from pipeline.store.engine import Connection

if TYPE_CHECKING:
    from model.registry import Manifest

# What makes the verdicts of a version. The rest of a manifest may gain fields with a release of Undertow.
IDENTITY = ("files", "temperatures", "smoothings")
# Frozen articles that a comparison by hand reads at most; the newest ones.
MOST_COMPARED = 2_000


def describe(line: Line, version: str | None = None) -> dict[str, Any]:
    """Everything known of a version (default: the champion). Raises UsageError when there is none."""
    with line.engine.connect() as connection:
        stored = _find(connection, version)
        manifest = models.read_manifest(connection, stored.version)
        events = [event for event in models.alias_history(connection) if event.version == stored.version]
        current = models.champion(connection)
    return {
        "version": stored.version,
        "champion": current == stored,
        "state": stored.state,
        "created_at": stored.created_at,
        "path": stored.path,
        "base": stored.base_model,
        "parent": manifest.get("parent", ""),
        "languages": ", ".join(stored.languages),
        "use": manifest.get("use", ""),
        "command": manifest.get("command", ""),
        "temperatures": manifest.get("temperatures", {}),
        "smoothings": manifest.get("smoothings", {}),
        "champion_since": [
            f"{event.set_at:%Y-%m-%d %H:%M} by {event.set_by}: {event.reason}" for event in events
        ],
        "data": manifest.get("data", []),
    }


def add(line: Line, folder: Path, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Brings a model directory in as a candidate: it is loaded once for proof, copied under the home, registered.

    Again it changes nothing, and it brings back files that are gone. Raises ModelError saying why a directory is none
    that can score, UsageError where its version is another model already.
    """
    from model.registry import verify

    manifest = verify(folder)
    with line.engine.connect() as connection:
        stored = models.find_model(connection, manifest.version)
        known = models.read_manifest(connection, manifest.version) if stored else {}
    ours = manifest.to_json()
    if any(known[name] != ours[name] for name in IDENTITY if name in known):
        raise UsageError(
            f"{manifest.version} is registered already, and {folder} is another model",
            "a version never changes; train it anew",
        )
    if stored is None or _version_at(line, stored) != stored.version:
        loader(line)(folder)
        path = str(_place(line, folder, manifest).relative_to(line.settings.home))
        with line.engine.begin() as connection:
            stored = models.register_model(
                connection,
                version=manifest.version,
                path=path,
                manifest=ours,
                as_of=as_of or now(),
                parent=manifest.parent or None,
            )
    return {"version": stored.version, "state": stored.state, "path": stored.path}


def _version_at(line: Line, stored: models.StoredModel) -> str | None:
    """The version whose whole files are where those of `stored` should be; None where there are none."""
    from model.errors import ModelFileError
    from model.registry import verify

    try:
        return verify(folder_of(line, stored)).version
    except (ModelUnavailable, ModelFileError):
        return None


def _place(line: Line, folder: Path, manifest: Manifest) -> Path:
    """Where the files lie under the home from now on; they appear there at once or not at all."""
    from model.registry import MANIFEST, UNSEALED, load_manifest, verify

    if not re.fullmatch(r"[\w-][\w.-]*", manifest.version):
        raise UsageError(f"{manifest.version!r} cannot name a folder", "train it anew without --version")
    out = line.settings.home / "models" / manifest.version
    if folder.resolve() == out.resolve():
        return out
    if (out / MANIFEST).is_file() and (there := load_manifest(out).version) != manifest.version:
        raise UsageError(f"{out} holds model {there}", "move it away first")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in {*manifest.files, *UNSEALED}:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, partial / name)
    verify(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return out


def promote(
    line: Line, version: str, *, by: str, reason: str, as_of: datetime | None = None
) -> dict[str, Any]:
    """Makes a version champion; its files are verified first. Queues the history for it.

    Raises UsageError for an unknown version, ModelUnavailable or ModelFileError where its files are not whole.
    """
    from model.registry import verify

    with line.engine.connect() as connection:
        stored = _find(connection, version)
    verify(folder_of(line, stored))
    return _switch(line, stored.version, by, reason, as_of or now())


def rollback(line: Line, *, by: str, reason: str, as_of: datetime | None = None) -> dict[str, Any]:
    """Points the alias back to the champion before this one. Raises UsageError when there was none."""
    with line.engine.connect() as connection:
        events = models.alias_history(connection)
    earlier = [event.version for event in events if event.version != events[0].version]
    if not earlier:
        raise UsageError("there is no earlier champion", "`undertow models history` shows all there were")
    return promote(line, earlier[0], by=by, reason=reason, as_of=as_of)


def _switch(line: Line, version: str, by: str, reason: str, as_of: datetime) -> dict[str, Any]:
    with line.engine.begin() as connection:
        models.lock_alias(connection)
        before = models.champion(connection)
        if before is not None and before.version == version:
            return {"champion": version, "before": version, "queued": 0}
        stored = _find(connection, version)
        queued = run.switch_champion(line, connection, stored, by=by, reason=reason, as_of=as_of)
    return {"champion": version, "before": before.version if before else None, "queued": queued}


def compare(line: Line, one: str, other: str | None = None) -> dict[str, Any]:
    """Two versions on the same frozen articles: figures of both, and the paired test in a sentence."""
    from pipeline.label import evidence
    from pipeline.label.dataset import merge_labels
    from pipeline.label.gate import sign_test
    from pipeline.label.measure import as_examples, judge

    with line.engine.connect() as connection:
        stored = [_find(connection, name) for name in (one, other)]
        articles = merge_labels(retrainings.read_label_rows(connection))
    frozen = sorted((a for a in articles if a.frozen and not a.empty), key=lambda a: a.available_at)
    examples = as_examples(frozen[-MOST_COMPARED:])
    versions = [model.version for model in stored]
    if not examples:
        return {
            "versions": versions,
            "figures": {},
            "sentence": "There are no frozen articles with labels yet.",
        }
    load = loader(line)
    said = [judge(load(run.model_path(line, model)), examples) for model in stored]
    reports = [evidence.report(verdicts) for verdicts in said]
    won, lost = evidence.won_and_lost(said[0], said[1], len(examples))
    figures = {
        "accuracy": [report["accuracy"] for report in reports],
        "macro F1": [report["macro"]["f1"] for report in reports],
        **{
            f"recall of {name}": [report["classes"][name]["recall"] for report in reports]
            for name in reports[0]["classes"]
        },
        "calibration error": [report["ece"] for report in reports],
    }
    p = 2 * min(sign_test(won, lost), sign_test(lost, won), 0.5)
    sentence = (
        f"On {len(examples)} frozen articles {versions[1]} has more right on {won}, {versions[0]} on {lost}"
        f" (two-sided p = {p:.2g})."
    )
    return {"versions": versions, "figures": figures, "sentence": sentence}


def _find(connection: Connection, version: str | None) -> models.StoredModel:
    """The model of that version, or the champion where none is given. Raises UsageError when there is none."""
    found = models.champion(connection) if version is None else models.find_model(connection, version)
    if found is None:
        which = "yet" if version is None else repr(version)
        raise UsageError(f"there is no model {which}", "`undertow models list` shows them")
    return found
