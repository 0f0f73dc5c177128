"""Devices by name, number formats by what the silicon does fast, and how much fits."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

import torch

from model.errors import ModelError

#: Padded tokens per forward pass on a CPU: past 2,048 the activations of MiniLM leave the caches (2 cores with
#: 1 MB L2 each: 1,024 and 2,048 equal within 3 %, 8,192 8 % slower). Rerun bench/score.py after a change.
CPU_TOKENS: Final = 2048
#: Bytes a token needs in flight per unit of width (activations, attention scores, workspace) on a GPU, measured
#: generously so that a first guess fits; a guess that does not fit is halved.
_BYTES_PER_TOKEN_AND_WIDTH: Final = 200
_MOST_TOKENS: Final = 1 << 18


def pick_device(name: str = "auto") -> torch.device:
    """The device by name; 'auto' takes CUDA, then MPS, then the CPU. Raises ModelError where there is none of it."""
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r} is no device; use auto, cpu, cuda, cuda:1 or mps") from error
    absent = device.type == "cuda" and not torch.cuda.is_available()
    if absent or (device.type == "mps" and not torch.backends.mps.is_available()):
        raise ModelError(
            f"device {name!r} is not there; use 'auto' or 'cpu', or install a build of torch that has it"
        )
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format by name; 'auto' is bf16 where it is fast, fp16 on other GPUs, fp32 on other CPUs."""
    names = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    names |= {str(dtype).removeprefix("torch."): dtype for dtype in names.values()}
    if name != "auto":
        if name not in names:
            raise ModelError(f"number format {name!r} is none of auto, {', '.join(names)}")
        return names[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if cpu_has_bf16() else torch.float32


def cpu_has_bf16() -> bool:
    """AVX-512 BF16 or AMX: without them bf16 on a CPU is emulated and slower than fp32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def token_budget(device: torch.device, width: int) -> int:
    """Padded tokens per forward pass that should fit: from free memory on CUDA, a fixed number elsewhere."""
    if device.type != "cuda":
        return CPU_TOKENS if device.type == "cpu" else 8 * CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    fits = int(0.7 * free / (width * _BYTES_PER_TOKEN_AND_WIDTH))
    return max(1024, min(fits, _MOST_TOKENS))


def is_out_of_memory(error: Exception) -> bool:
    """CUDA says so by class, its libraries, MPS and the CPU allocator by words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error).lower()
    return any(said in words for said in ("out of memory", "can't allocate memory", "_status_alloc_failed"))


def free_cached(device: torch.device) -> None:
    """Give unused cached memory back before a smaller try."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks: by default every large tensor is mapped anew and its pages are zeroed again.

    On two virtual cores a training step took 0.57 s instead of 0.87 s. No effect on other C libraries.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_max = -1, -4  # malloc.h
        mallopt(trim_threshold, 1 << 30)
        mallopt(mmap_max, 0)
