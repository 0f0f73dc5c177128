"""A tiny random encoder, made here in a second, and a model trained on it: real files, real training, no download."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model_rows import make_rows, write_rows

from model.data import Source
from model.finetune import finetune
from model.training import TrainConfig

WORDS = [
    "profit",
    "loss",
    "sales",
    "shares",
    "rise",
    "rises",
    "fall",
    "falls",
    "cut",
    "cuts",
    "debt",
    "dividend",
    "up",
    "down",
    "beats",
    "misses",
    "wins",
    "loses",
    "sues",
    "acme",
    "borel",
    "corp",
    "bank",
    "oil",
    "rate",
    "the",
    "a",
    "of",
    "in",
    "to",
    "for",
    "and",
    "its",
    "as",
    "while",
    "after",
    "quarter",
    "record",
    "strong",
    "weak",
    "no",
    "not",
]
CHINESE = "公司利润下降上升股价大涨跌亏损增长银行阿里巴巴腾讯中国央行降息。，"


def write_base(folder: Path) -> Path:
    """A BERT of two layers with a word-piece vocabulary of English words, letters and Chinese characters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789$%.,;:-'"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{c}" for c in letters)]
    vocabulary = {p: i for i, p in enumerate(dict.fromkeys([*pieces, *CHINESE]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tiny tensors are slower on two threads, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory) -> Source:
    path = write_rows(tmp_path_factory.mktemp("data") / "train.jsonl", make_rows(150))
    return Source("made", path, "MIT", "made by the test")


@pytest.fixture(scope="session")
def tiny_config(tiny_base) -> TrainConfig:
    return TrainConfig(
        base=str(tiny_base),
        epochs=8,
        batch=8,
        learning_rate=5e-3,
        head_factor=1.0,
        dev_share=0.2,
        precision="fp32",
        max_tokens=48,
        tracking=(),
    )


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tiny_config, tiny_source) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny"
    finetune(
        tiny_config, [tiny_source], out, created_at="2026-01-31T00:00:00+00:00", device="cpu", command="test"
    )
    return out


@pytest.fixture
def copy_of_model(tiny_model, tmp_path) -> Path:
    """A copy that a test may spoil."""
    import shutil

    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))
