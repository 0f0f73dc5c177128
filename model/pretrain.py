"""Adapt an encoder to the news it will read, without labels: masked language modelling on texts in time order.

The words' vectors stay as they are, so that an adapted model still shares them with its base package. What comes
out is a model directory whose heads know nothing yet: fine-tune it (`start`) before it may score.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments, set_seed

from model.checkpoints import open_work
from model.data import Source, check_licences, ledger
from model.encoders import load_base, load_model, token_limit
from model.errors import DataError
from model.example import normalise
from model.hardware import keep_freed_memory, pick_device
from model.registry import ADAPTED, Manifest, save_model
from model.training import TrainConfig, base_of, pick_precision, side_files

#: Share of tokens hidden, and of the hidden ones how many become the mask, a random token, or stay (BERT's recipe).
MASKED: Final = 0.15
_BECOME_MASK, _BECOME_RANDOM = 0.8, 0.1


@dataclass(frozen=True)
class PretrainResult:
    """The adapted model and its loss (nats per hidden token) on the newest texts, before and after."""

    path: Path
    loss_before: float
    loss_after: float
    texts: int


class MaskedWords(nn.Module):
    """An encoder that guesses hidden tokens: a small transform, then the words' own vectors as the output layer."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        config: Any = encoder.config
        self.encoder = encoder
        self.transform = nn.Sequential(nn.Linear(config.hidden_size, config.hidden_size), nn.GELU())
        self.norm = nn.LayerNorm(config.hidden_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """labels (B,T): the token that stood there, -100 where it was not hidden. Only hidden places are scored."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        asked = labels >= 0
        words: Any = self.encoder.get_input_embeddings()  # type: ignore[operator]
        guess = self.norm(self.transform(hidden[asked]))
        logits = guess @ words.weight.to(guess.dtype).T + self.bias
        return {"loss": F.cross_entropy(logits.float(), labels[asked])}


@dataclass(frozen=True)
class MaskingCollator:
    """Texts -> hidden tokens and what they were. Special tokens are never hidden; every batch hides one at least."""

    tokenizer: Any
    max_tokens: int = 128

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_tokens,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
            return_special_tokens_mask=True,
        )
        ids, special = encoded["input_ids"], encoded["special_tokens_mask"].bool()
        chosen = (torch.rand(ids.shape) < MASKED) & ~special
        if not chosen.any():
            chosen.view(-1)[int((~special).view(-1).float().argmax())] = True
        labels = torch.where(chosen, ids, -100)
        fate = torch.rand(ids.shape)
        hidden = torch.where(chosen & (fate < _BECOME_MASK), self.tokenizer.mask_token_id, ids)
        random = chosen & (fate >= _BECOME_MASK) & (fate < _BECOME_MASK + _BECOME_RANDOM)
        hidden = torch.where(random, torch.randint(len(self.tokenizer), ids.shape), hidden)
        return {"input_ids": hidden, "attention_mask": encoded["attention_mask"], "labels": labels}


class _Texts(Dataset[str]):
    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> str:
        return self.texts[index]


class _InTimeOrder(Trainer):  # type: ignore[misc]
    """Reads texts as they came, so that what it read last is what it will meet next."""

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def pretrain(
    config: TrainConfig,
    texts: Sequence[str],
    out: Path,
    *,
    created_at: str,
    sources: Sequence[Source] = (),
    work: Path | None = None,
    device: str = "auto",
    command: str = "",
) -> PretrainResult:
    """Adapt `config.base` (or `config.start`) to `texts`, oldest first, and write a model directory to `out`.

    The newest tenth is only judged on. `work` keeps checkpoints: a run killed there goes on where it
    was when called again with the same settings. Raises DataError, LicenceError, TrainingError.
    """
    check_licences(sources, config.use)
    texts = [normalise(t) for t in texts if t.strip()]
    if len(texts) < 20:
        raise DataError(f"{len(texts)} texts are too few to adapt to; give at least 20, better 10,000")
    keep_freed_memory()
    set_seed(config.seed)
    loaded = load_model(Path(config.start)) if config.start else load_base(config.base)
    encoder: Any = loaded.network.encoder
    encoder.get_input_embeddings().weight.requires_grad_(False)
    with tempfile.TemporaryDirectory(prefix="undertow-pretrain-") as temporary:
        before, after = _adapt(config, encoder, loaded.tokenizer, texts, work or Path(temporary), device)
    manifest = Manifest(
        version="",
        created_at=created_at,
        base=base_of(config, loaded),
        command=command or " ".join(sys.argv),
        languages=config.languages,
        use=config.use,
        data=tuple(ledger(sources)),
        metrics={
            "mlm": {"loss_before": round(before, 4), "loss_after": round(after, 4), "texts": len(texts)}
        },
        settings=dataclasses.asdict(config) | {"stage": ADAPTED},
    )
    state = {
        k: v.detach().cpu().half() if v.is_floating_point() else v
        for k, v in loaded.network.state_dict().items()
    }
    with side_files(loaded, manifest.base) as side:
        save_model(out, state, manifest, side)
    return PretrainResult(out, before, after, len(texts))


def _adapt(
    config: TrainConfig, encoder: nn.Module, tokenizer: Any, texts: Sequence[str], work: Path, device: str
) -> tuple[float, float]:
    cut = len(texts) - max(2, len(texts) // 10)
    precision = pick_precision(config.precision, device)
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=config.batch,
        num_train_epochs=config.epochs,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=pick_device(device).type == "cpu",
        save_strategy="epoch",
        save_total_limit=1,
        logging_steps=50,
        report_to=list(config.tracking) or "none",
        seed=config.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    trainer = _InTimeOrder(
        model=MaskedWords(encoder),
        args=arguments,
        train_dataset=_Texts(texts[:cut]),
        eval_dataset=_Texts(texts[cut:]),
        data_collator=MaskingCollator(tokenizer, token_limit(encoder, config.max_tokens)),
    )
    before = _loss(trainer, config.seed)
    read = hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()
    trainer.train(resume_from_checkpoint=open_work(work, f"{config!r}\n{read}"))
    return before, _loss(trainer, config.seed)


def _loss(trainer: Trainer, seed: int) -> float:
    """Loss on the held-out texts under the same masks each time."""
    torch.manual_seed(seed)
    return float(trainer.evaluate().get("eval_loss", math.nan))
