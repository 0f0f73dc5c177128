"""The engines that bench/score.py compares: how people score texts, and ours over several inference libraries.

Ours differ only in what runs the encoder; tokenising, batching, heads and calibration are the Classifier's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from model.encoders import load_model
from model.inference import Classifier
from model.registry import STARTER

Score = Callable[[Sequence[str]], Any]

PEERS = ("pipeline", "fixed128")
OURS = ("torch-fp32", "torch-bf16", "ort-fp32", "ort-int8", "openvino-fp32", "openvino-bf16")


def build(name: str) -> tuple[Score, Classifier | None]:
    """The engine as a function of texts, and its classifier where it is one of ours. Raises ImportError."""
    if name == "pipeline":
        return pipeline_engine(), None
    if name == "fixed128":
        return fixed_engine(), None
    library, precision = name.split("-")
    classifier = Classifier.load(device="cpu", dtype=precision if library == "torch" else "fp32")
    if library == "ort":
        classifier._encoder = ort_encoder(classifier, precision)
    elif library == "openvino":
        classifier._encoder = openvino_encoder(classifier, precision)
    return classifier.predict, classifier


# --- as people do it ------------------------------------------------------------------------------------------------


def sequence_classifier() -> tuple[Any, Any]:
    """A BertForSequenceClassification with our encoder's weights, and its tokenizer."""
    from transformers import BertForSequenceClassification

    loaded = load_model(STARTER)
    config = loaded.network.encoder.config
    config.num_labels = 3
    model = BertForSequenceClassification(config).eval()
    model.bert.load_state_dict(loaded.network.encoder.state_dict(), strict=False)
    return model, loaded.tokenizer


def pipeline_engine() -> Score:
    """transformers.pipeline, fp32, batch_size=32: batches in the order given, padded to their longest."""
    from transformers import pipeline

    model, tokenizer = sequence_classifier()
    run = pipeline("text-classification", model=model, tokenizer=tokenizer, batch_size=32, device="cpu")
    return lambda texts: run(list(texts), truncation=True, max_length=128)


def fixed_engine() -> Score:
    """The recipe of many tutorials: every text padded to 128 tokens, batches of 16, fp32."""
    model, tokenizer = sequence_classifier()

    def run(texts: Sequence[str]) -> list[Any]:
        out = []
        for start in range(0, len(texts), 16):
            batch = tokenizer(
                list(texts[start : start + 16]),
                padding="max_length",
                truncation=True,
                max_length=128,
                return_tensors="pt",
            )
            with torch.no_grad():
                out += model(**batch).logits.softmax(-1).tolist()
        return out

    return run


# --- other libraries behind our classifier --------------------------------------------------------------------------


class Plain(torch.nn.Module):
    """The encoder as exporters want it: two tensors in, one out."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def answer(run: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A function of numpy arrays in the place of the encoder."""

    def encoder(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> Any:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return SimpleNamespace(last_hidden_state=torch.from_numpy(run(input_ids.numpy(), mask.numpy())))

    return encoder


def ort_encoder(classifier: Classifier, precision: str) -> Callable[..., Any]:
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="bench-onnx-") as made:
        folder = Path(made)
        export(classifier, folder / "encoder.onnx")
        if precision == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            quantize_dynamic(
                folder / "encoder.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        name = "int8.onnx" if precision == "int8" else "encoder.onnx"
        session = ort.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
    inputs = [i.name for i in session.get_inputs()]
    return answer(lambda ids, mask: session.run(None, dict(zip(inputs, (ids, mask), strict=True)))[0])


def export(classifier: Classifier, path: Path) -> None:
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Plain(classifier.network.encoder),
        example(),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["hidden"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "hidden": axes},
        opset_version=17,
        dynamo=False,
    )


def openvino_encoder(classifier: Classifier, precision: str) -> Callable[..., Any]:
    import openvino as ov

    model = ov.convert_model(Plain(classifier.network.encoder), example_input=example())
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    return answer(lambda ids, mask: request.infer([ids, mask], share_inputs=True)[0].copy())


def example() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(1000, 5000, (4, 16))
    return ids, torch.ones_like(ids)
