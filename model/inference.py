"""Scoring at the speed of the hardware: texts in, verdicts out, one bad text never stops the others.

Texts are tokenised in pools by a thread while the device works on the pool before; inside a pool they are sorted by
length and cut into batches under a budget of padded tokens. The encoder runs in bf16 or fp16 where that is fast;
the heads and the softmax run in fp32.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from model.batches import mention_mask
from model.encoders import Loaded, load_model
from model.errors import DeviceFailed, DeviceLost, ModelError
from model.example import find_spans, normalise
from model.explain import Word, occlude, words_of
from model.figures import Compared, compare_figures
from model.hardware import (
    free_cached,
    is_out_of_memory,
    keep_freed_memory,
    pick_device,
    pick_dtype,
    token_budget,
)
from model.labels import TOPICS, label_map
from model.metrics import calibrated
from model.packed import PACKED_TOKENS, PackedBert, packs
from model.registry import ADAPTED, STARTER
from model.verdict import CompanySpan, Contribution, Failure, Mentioned, Probabilities, TextInput, Verdict

__all__ = [
    "Classifier",
    "CompanySpan",
    "Contribution",
    "Failure",
    "Mentioned",
    "Probabilities",
    "TextInput",
    "Verdict",
]

#: Texts tokenised and sorted together: enough that a batch of equals is found for every length, few enough that a
#: stream of millions stays flat in memory.
POOL: Final = 2048
#: What any working device can judge, in all heads: a device that fails on it fails on everything.
PROBE: Final = TextInput("Acme raises its profit.", ("Acme",))


@dataclass(slots=True)
class _Item:
    """A text on its way: token ids, and one list of token positions per company (empty: beyond the limit)."""

    ids: list[int]
    companies: list[str]
    positions: list[list[int]]


class Classifier:
    """A loaded model. Thread-safe for reading only: use one per thread or process."""

    def __init__(
        self, loaded: Loaded, device: torch.device, dtype: torch.dtype, compile: bool = False
    ) -> None:
        if loaded.manifest is None:
            raise ModelError("this network was never trained; load a model directory")
        manifest = loaded.manifest
        if manifest.settings.get("stage") == ADAPTED:
            raise ModelError(
                f"model {manifest.version} was adapted but never fine-tuned; give it to `finetune` first"
            )
        self.version: str = manifest.version
        self.labels: dict[str, list[str]] = label_map()
        self.languages: tuple[str, ...] = manifest.languages
        self.manifest = manifest
        self.device, self.dtype = device, dtype
        self.network = loaded.network.to(device).eval()
        width = int(cast(Any, loaded.network.encoder).config.hidden_size)
        self.batch_tokens = token_budget(device, width)
        self._encoder: Any
        if packs(self.network.encoder, device, dtype) and not compile:
            self._encoder = PackedBert(self.network.encoder)
            self.batch_tokens = PACKED_TOKENS
        else:
            encoder = self.network.encoder.to(dtype)
            self._encoder = torch.compile(encoder, dynamic=True) if compile else encoder
        self._tokens: Any = cast(Any, loaded.tokenizer).backend_tokenizer
        self._tokens.no_padding()
        self._tokens.enable_truncation(manifest.max_tokens)
        self._compares = loaded.compares
        self._has_worked = False
        self._pad = int(cast(Any, loaded.tokenizer).pad_token_id or 0)
        self._calibration = {
            head: (manifest.temperatures.get(head, 1.0), manifest.smoothings.get(head, 0.0))
            for head in ("sentiment", "company", "topics")
        }

    @classmethod
    def load(
        cls, path: Path | str | None = None, device: str = "auto", dtype: str = "auto", compile: bool = False
    ) -> Classifier:
        """The model in `path`, the starter when None. Raises ModelFileError, LabelMismatch, BaseModelError."""
        keep_freed_memory()
        on = pick_device(device)
        return cls(load_model(Path(path) if path else STARTER), on, pick_dtype(dtype, on), compile)

    # --- the public verbs ---------------------------------------------------------------------------------------

    def predict(
        self, texts: Sequence[TextInput | str], *, batch_tokens: int | None = None
    ) -> list[Verdict | Failure]:
        """A verdict per text, in order; a Failure in the place of one that cannot be judged.

        Raises DeviceFailed or DeviceLost where it is the device that fails, which says nothing of a text.
        """
        return list(self.iter_predict(texts, batch_tokens=batch_tokens))

    def iter_predict(
        self, texts: Iterable[TextInput | str], *, batch_tokens: int | None = None, pool: int = POOL
    ) -> Iterator[Verdict | Failure]:
        """The same as a stream: reads `pool` texts ahead, holds two pools at most."""
        self._check_device()
        for items in self._pools(texts, pool):
            yield from self._judge_pool(items, batch_tokens or self.batch_tokens)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, width) of the texts; a text that cannot be read gives zeros."""
        out = np.zeros((len(texts), self.network.sentiment.in_features), dtype=np.float32)
        items = [self._prepare(t) for t in texts]
        good = {i: item for i, item in enumerate(items) if isinstance(item, _Item)}
        for rows in batches_under({i: len(it.ids) for i, it in good.items()}, self.batch_tokens):
            with torch.inference_mode():
                ids, mask = self._tensors([good[i] for i in rows])
                _, pooled = self._encode(ids, mask)
            out[rows] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return out

    def explain(self, text: str, company: Mentioned | str | None = None) -> list[Contribution]:
        """What each word adds to the score of the story, or of `company` in it: the score with it, less without.

        A bare name is looked up in the text. A word is left out by putting the mask token in its place; the company's
        own are not. Words behind the last one that is read add nothing and are not asked about: a judgement for each
        would take hours. Raises ModelError where the text cannot be judged.
        """
        asked = _located(text, company) if company else None
        if asked is not None and not asked.spans:
            raise ModelError(f"{asked.name!r} does not stand in the text; write it as it stands there")
        name, spans = asked or (None, ())
        words = self._read_of(text, words_of(text, spans))
        mask_token = str(self._tokens.id_to_token(self._mask_id()))
        inputs = [TextInput(text, [asked] if asked else [])]
        for word in words:
            changed, moved = occlude(text, word, mask_token, spans)
            inputs.append(TextInput(changed, [Mentioned(name, moved)] if name is not None else []))
        scores = [self._score(v, name) for v in self.predict(inputs)]
        return [
            Contribution(w.token, w.start, w.end, scores[0] - s)
            for w, s in zip(words, scores[1:], strict=True)
        ]

    def _read_of(self, text: str, words: Sequence[Word]) -> list[Word]:
        """Those of the words that stand within the limit of tokens."""
        _, read = self._as_read(text)
        end = max((end for _, end in self._tokens.encode(read.text).offsets), default=0)
        return [word for word in words if read.moved([(word.start, word.end)])[0][0] < end]

    @staticmethod
    def _score(verdict: Verdict | Failure, company: str | None) -> float:
        if isinstance(verdict, Failure):
            raise ModelError(f"the text cannot be judged: {verdict.reason}")
        return verdict.sentiment.score if company is None else verdict.companies[company].score

    def _mask_id(self) -> int:
        for token in ("[MASK]", "<mask>", "[UNK]", "<unk>"):
            if (found := self._tokens.token_to_id(token)) is not None:
                return int(found)
        return self._pad

    # --- texts to tokens ----------------------------------------------------------------------------------------

    def _pools(self, texts: Iterable[TextInput | str], size: int) -> Iterator[list[_Item | Failure]]:
        """Tokenised pools, the next one made by a thread while the last is used."""
        source = iter(texts)
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as thread:
            chunk = list(islice(source, size))
            ahead: Future[list[_Item | Failure]] | None = (
                thread.submit(self._prepare_all, chunk) if chunk else None
            )
            while ahead is not None:
                items = ahead.result()
                chunk = list(islice(source, size))
                ahead = thread.submit(self._prepare_all, chunk) if chunk else None
                yield items

    def _prepare_all(self, texts: Sequence[TextInput | str]) -> list[_Item | Failure]:
        return [self._prepare(t) for t in texts]

    def _prepare(self, given: TextInput | str) -> _Item | Failure:
        given = given if isinstance(given, TextInput) else TextInput(given)
        raw: object = given.text  # callers hand on what feeds and files gave them
        if not isinstance(raw, str):
            return Failure(f"not a text but {type(raw).__name__}")
        if not raw.strip():
            return Failure("no text")
        try:
            text, read = self._as_read(raw)
            encoding = self._tokens.encode(read.text)
            found = [_located(text, c) for c in given.companies]
            offsets = encoding.offsets if found else ()
            masks = [mention_mask(offsets, read.moved(m.spans)) for m in found]
            positions = [[i for i, hit in enumerate(mask) if hit] for mask in masks]
            return _Item(encoding.ids, [m.name for m in found], positions)
        except Exception as error:  # noqa: BLE001 - a hostile text must cost its own verdict only
            return Failure(f"cannot be tokenised: {type(error).__name__}: {error}")

    def _as_read(self, raw: str) -> tuple[str, Compared]:
        """The text without what says nothing, character for character; and what the network reads of it."""
        text = normalise(raw.encode("utf-8", "replace").decode())
        return text, compare_figures(text) if self._compares else Compared(text)

    # --- tokens to verdicts -------------------------------------------------------------------------------------

    def _judge_pool(self, items: list[_Item | Failure], budget: int) -> list[Verdict | Failure]:
        out: list[Verdict | Failure] = [i if isinstance(i, Failure) else Failure("not judged") for i in items]
        good = {i: item for i, item in enumerate(items) if isinstance(item, _Item)}
        for rows in batches_under({i: len(item.ids) for i, item in good.items()}, budget):
            for i, verdict in zip(rows, self._judge_or_split([good[i] for i in rows]), strict=True):
                out[i] = verdict
        return out

    def _judge_or_split(self, items: list[_Item]) -> list[Verdict | Failure]:
        """Verdicts of a batch; when it breaks, of its halves, down to the one text that breaks it."""
        try:
            return list(self._judge(items))
        except Exception as error:  # noqa: BLE001 - whatever the device throws at a batch must not reach the others
            if is_out_of_memory(error):
                free_cached(self.device)
                # A larger batch was cut under an older budget, whose failure has been counted: once is enough.
                if len(items) * max(len(i.ids) for i in items) <= self.batch_tokens:
                    self.batch_tokens = max(self.manifest.max_tokens, self.batch_tokens // 2)
            if len(items) == 1:
                return [self._failure(error)]
        half = len(items) // 2
        return self._judge_or_split(items[:half]) + self._judge_or_split(items[half:])

    def _failure(self, error: Exception) -> Failure:
        """What to say of one text that broke; raises where the device would break on any other, too.

        One text, cut to the limit, is the least that can be asked: memory that does not suffice for it was taken by others.
        """
        cause = error if is_out_of_memory(error) else self._try_probe()
        if cause is None:
            return Failure(f"the model failed on it: {type(error).__name__}: {error}")
        if is_out_of_memory(cause):
            raise self._device_failed(cause) from cause
        raise DeviceLost(
            f"{self.device} went down on a batch and answers no more ({_first_line(error)});"
            " run it again, in a new process"
        ) from error

    def _check_device(self) -> None:
        """Tries the device before the first text, else one on which it goes down would look like one that never worked."""
        if self._has_worked:
            return
        if (error := self._try_probe()) is not None:
            raise self._device_failed(error) from error
        self._has_worked = True

    def _try_probe(self) -> Exception | None:
        """Why the device cannot judge even the probe; None if it can."""
        try:
            self._judge([cast(_Item, self._prepare(PROBE))])
        except Exception as error:  # noqa: BLE001 - whatever a broken device throws
            return error
        return None

    def _device_failed(self, error: Exception) -> DeviceFailed:
        return DeviceFailed(
            f"{self.device} cannot judge a single text ({_first_line(error)});"
            " free its memory if another process holds it, or take another device"
        )

    @torch.inference_mode()
    def _judge(self, items: list[_Item]) -> list[Verdict | Failure]:
        ids, mask = self._tensors(items)
        hidden, pooled = self._encode(ids, mask)
        story = self.network.story(pooled, ids, mask)
        sentiment = self._probabilities(story["sentiment"], "sentiment")
        topics = self._probabilities(story["topics"], "topics")
        company = self._companies(items, hidden, mask, pooled)
        return [
            _verdict(sentiment[b], topics[b], item, company[b] if company else [])
            for b, item in enumerate(items)
        ]

    def _encode(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Token vectors and their mean, in fp32; a batch without padding needs no mask."""
        full = bool(mask.all())
        hidden = self._encoder(input_ids=ids, attention_mask=None if full else mask).last_hidden_state.float()
        weights = mask.float()
        return hidden, (weights[:, None] @ hidden)[:, 0] / weights.sum(-1, keepdim=True)

    def _tensors(self, items: Sequence[_Item]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(i.ids) for i in items)
        ids = torch.full((len(items), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(items), width), dtype=torch.long)
        for b, item in enumerate(items):
            ids[b, : len(item.ids)] = torch.tensor(item.ids)
            mask[b, : len(item.ids)] = 1
        return self._move(ids), self._move(mask)

    def _move(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _companies(
        self, items: Sequence[_Item], hidden: torch.Tensor, mask: torch.Tensor, pooled: torch.Tensor
    ) -> list[list[list[float]]]:
        most = max(len(i.positions) for i in items)
        if not most:
            return []
        mentions = torch.zeros(len(items), most, hidden.shape[1])
        for b, item in enumerate(items):
            for k, positions in enumerate(item.positions):
                mentions[b, k, positions] = 1
        logits = self.network.company(hidden, mask, pooled, self._move(mentions))
        answers: list[list[list[float]]] = self._probabilities(logits, "company")
        return answers

    def _probabilities(self, logits: torch.Tensor, head: str) -> Any:
        return calibrated(logits.float().cpu().numpy().astype(np.float64), *self._calibration[head]).tolist()


def batches_under(lengths: dict[int, int], budget: int) -> Iterator[list[int]]:
    """Keys sorted by length, longest first, in runs whose padded size stays under `budget` tokens (one at least).

    Longest first: a budget that does not fit shows at once.
    """
    order = sorted(lengths, key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def _first_line(error: Exception) -> str:
    """CUDA's messages go on for a page."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _located(text: str, company: Mentioned | CompanySpan | str) -> Mentioned:
    if isinstance(company, str):
        return Mentioned(company, find_spans(text, company))
    if isinstance(company, Mentioned):
        return company
    return Mentioned(company.name, ((company.start, company.end),))


def _verdict(
    sentiment: list[float], topics: list[float], item: _Item, companies: list[list[float]]
) -> Verdict | Failure:
    if not math.isfinite(sum(sentiment) + sum(topics)):
        return Failure("the model answered with something that is no number")
    story = Probabilities(*sentiment)
    named = {
        # A company that stands nowhere, or beyond the token limit, is judged as the story is.
        name: Probabilities(*companies[k]) if item.positions[k] else story
        for k, name in enumerate(item.companies)
    }
    return Verdict(story, named, dict(zip(TOPICS, topics, strict=True)))
