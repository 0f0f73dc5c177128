"""From folders to networks: the base encoder with its tokenizer, and a whole trained model."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model.batches import Tokenizer
from model.errors import BaseModelError, ModelFileError
from model.network import LossSettings, Network
from model.registry import Manifest, find_base, load_state
from model.wide import Wide


@dataclass(frozen=True)
class Loaded:
    """A network in fp32 on the CPU, its tokenizer, and the manifest where it was a trained model.

    `compares`: are comparisons of figures said in words before the network reads a text (model/figures.py)? It must
    be told as it was taught.
    """

    network: Network
    tokenizer: Tokenizer
    manifest: Manifest | None = None
    compares: bool = False


def load_base(name: str, loss: LossSettings | None = None, attention_dropout: float | None = None) -> Loaded:
    """A fresh network over a base encoder: a directory, a pip package or a hub name. Raises BaseModelError.

    `attention_dropout` takes the place of the encoder's own, where it has one.
    """
    from transformers import AutoModel

    kind, folder = find_base(name)
    where = str(folder or name)
    try:
        with quiet():
            # Pooling layers on top of BERT are not used; asking for none saves their weights in the model.
            config = _config(where)
            extra: dict[str, Any] = {"add_pooling_layer": False} if config.model_type in _WITH_POOLER else {}
            if attention_dropout is not None and hasattr(config, "attention_probs_dropout_prob"):
                extra["attention_probs_dropout_prob"] = attention_dropout
            encoder = AutoModel.from_pretrained(where, trust_remote_code=False, dtype=torch.float32, **extra)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelError(f"base encoder {name!r} ({kind}) cannot be loaded: {error}") from error
    return Loaded(Network(encoder, loss), load_tokenizer(where))


_WITH_POOLER = {"bert", "roberta", "xlm-roberta", "camembert", "electra_pooled"}


def load_model(folder: Path, loss: LossSettings | None = None) -> Loaded:
    """A trained model, verified. Raises ModelFileError, LabelMismatch, BaseModelError."""
    manifest, state, side = load_state(folder)
    network = Network(empty_encoder(side), loss)
    network.wide = Wide.from_state(state)
    state = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in state.items()}
    missing, foreign = network.load_state_dict(state, strict=False)
    if missing or foreign:
        raise ModelFileError(
            f"the weights in {folder} do not fit this release's network (missing {missing[:3]}, unknown "
            f"{foreign[:3]}); retrain the model"
        )
    network.eval()
    return Loaded(
        network, load_tokenizer(str(side)), manifest, bool(manifest.settings.get("compare_figures", False))
    )


def empty_encoder(folder: Path) -> nn.Module:
    """The encoder that config.json in `folder` describes, its weights not yet filled in."""
    from transformers import AutoModel

    config = _config(str(folder))
    extra = {"add_pooling_layer": False} if config.model_type in _WITH_POOLER else {}
    with quiet(), _no_init():
        encoder: nn.Module = AutoModel.from_config(config, trust_remote_code=False, **extra)
    return encoder


def token_limit(encoder: nn.Module, most: int = 256) -> int:
    """Tokens a text may have: `most`, or fewer where the encoder knows fewer places (RoBERTa's start at 2)."""
    config: Any = encoder.config
    places = int(getattr(config, "max_position_embeddings", most) or most)
    return min(most, places - 2 if "roberta" in config.model_type else places)


def load_tokenizer(where: str) -> Tokenizer:
    """The fast tokenizer in a folder or of a hub name; offsets need a fast one."""
    from transformers import AutoTokenizer

    with quiet():
        tokenizer: Any = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise BaseModelError(
            f"{where} has no fast tokenizer (tokenizer.json), and companies are found by offsets"
        )
    return tokenizer  # type: ignore[no-any-return]


def _config(where: str) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(where, trust_remote_code=False)


@contextlib.contextmanager
def _no_init() -> Iterator[None]:
    """Random initialisation of 22 million numbers that are overwritten at once takes a second; skip it."""
    from transformers import initialization

    with initialization.no_init_weights():
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Loading prints bars and reports unused pooling weights; a service's log has no room for them."""
    from transformers.utils import logging as hf

    level, bars = hf.get_verbosity(), hf.is_progress_bar_enabled()
    hf.set_verbosity(logging.ERROR)
    hf.disable_progress_bar()
    try:
        yield
    finally:
        hf.set_verbosity(level)
        if bars:
            hf.enable_progress_bar()
