"""Train a small BitNet b1.58 on the Jargon File and write it as GGUF.

Run: ``pip install torch``, then ``python examples/jargon/train.py jargon.txt --to jargon.gguf``. The text is
Debian's package jargon-text 4.4.7 (public domain), unpacked. Weights are ternary and activations int8 in every forward
pass, as `kernels` computes them; gradients go past the rounding as if it were not there (Ma et al., arXiv:2402.17764).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional

from kernels import PackedMatrix, formats
from kernels.gguf import NewTensor, write

VOCABULARY, HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, CONTEXT = 512, 256, 512, 3, 4, 2, 512
HEAD, ROPE_BASE, EPSILON = HIDDEN // HEADS, 10_000.0, 1e-5
END = "<|endoftext|>"
HELD_OUT = 16
"""Entries at the end, never trained on."""


def entries(text: str) -> list[str]:
    """The entries of the file: a line for the head word, one for every paragraph."""
    lines = text.splitlines()
    heads = [n for n, line in enumerate(lines) if re.match(r"   :.+:( |$)", line)]
    found = []
    for start, stop in zip(heads, [*heads, len(lines)][1:], strict=True):
        paragraphs = re.split(r"\n\s*\n", "\n".join(line.strip() for line in lines[start:stop]).strip())
        found.append("\n".join(re.sub(r"\s+", " ", paragraph) for paragraph in paragraphs) + "\n")
    order = np.random.default_rng(0).permutation(len(found))
    return [found[n] for n in order]


def tokenizer_of(texts: list[str]) -> Tokenizer:
    """Byte-level BPE."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet)
    )
    return made


class BitLinear(nn.Module):
    """Ternary weights, int8 activations: what the forward pass multiplies with is rounded, what is trained is not."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * inputs**-0.5)

    def ternary(self) -> tuple[Tensor, Tensor]:
        scale = self.weight.detach().abs().mean().clamp(min=1e-5)
        return (self.weight.detach() / scale).round().clamp(-1, 1), scale

    def forward(self, x: Tensor) -> Tensor:
        ternary, scale = self.ternary()
        factor = 127 / x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
        q = (x * factor).round().clamp(-128, 127) / factor
        weight = self.weight + (ternary * scale - self.weight).detach()
        return functional.linear(x + (q - x).detach(), weight)


class Norm(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * self.weight


def turned(x: Tensor) -> Tensor:
    """(B, H, T, 64) with pairs (i, i + 32) turned by their position."""
    frequency = ROPE_BASE ** (-torch.arange(0, HEAD, 2, dtype=torch.float64) / HEAD)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    cos, sin = angle.cos().float(), angle.sin().float()
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn_norm, self.attn_sub_norm, self.ffn_norm = Norm(HIDDEN), Norm(HIDDEN), Norm(HIDDEN)
        self.ffn_sub_norm = Norm(FEED_FORWARD)
        self.attn_q, self.attn_output = BitLinear(HIDDEN, HIDDEN), BitLinear(HIDDEN, HIDDEN)
        self.attn_k, self.attn_v = BitLinear(HIDDEN, KV_HEADS * HEAD), BitLinear(HIDDEN, KV_HEADS * HEAD)
        self.ffn_gate, self.ffn_up = BitLinear(HIDDEN, FEED_FORWARD), BitLinear(HIDDEN, FEED_FORWARD)
        self.ffn_down = BitLinear(FEED_FORWARD, HIDDEN)

    def forward(self, h: Tensor) -> Tensor:
        batch, length, _ = h.shape
        x = self.attn_norm(h)
        q, k, v = (
            linear(x).view(batch, length, -1, HEAD).transpose(1, 2)
            for linear in (self.attn_q, self.attn_k, self.attn_v)
        )
        q, k = turned(q), turned(k).repeat_interleave(HEADS // KV_HEADS, 1)
        v = v.repeat_interleave(HEADS // KV_HEADS, 1)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.attn_output(self.attn_sub_norm(seen.transpose(1, 2).reshape(batch, length, HIDDEN)))
        x = self.ffn_norm(h)
        return h + self.ffn_down(self.ffn_sub_norm(functional.relu(self.ffn_gate(x)).square() * self.ffn_up(x)))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token_embd = nn.Parameter(torch.randn(VOCABULARY, HIDDEN) * 0.5)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.output_norm = Norm(HIDDEN)
        self.output_norm.weight.data.fill_(HIDDEN**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.token_embd[tokens]
        for layer in self.layers:
            h = layer(h)
        return functional.linear(self.output_norm(h), self.token_embd)


@torch.no_grad()
def perplexity(model: Model, tokens: np.ndarray, context: int = 256) -> float:
    """Of all tokens but the first of every window; windows do not overlap."""
    windows = torch.from_numpy(tokens[: len(tokens) // context * context].astype(np.int64)).view(-1, context)
    losses = [functional.cross_entropy(model(one[None])[0, :-1], one[1:]).item() for one in windows]
    return math.exp(float(np.mean(losses)))


def train(model: Model, tokens: np.ndarray, steps: int, minutes: float) -> None:
    """AdamW with warm-up and a cosine; weights shrink in the first half only, as BitNet's do."""
    rates = {"lr": 3e-3, "betas": (0.9, 0.95)}
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1, **rates)
    random, length, batch, began = np.random.default_rng(1), 256, 24, time.monotonic()
    step = 0
    while step < steps:
        # The clock may end training early, but not without the cosine: the rate follows whichever is further on.
        done = max(step / steps, (time.monotonic() - began) / (60 * minutes))
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rates["lr"] * min(1, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
            group["weight_decay"] = 0.1 if done < 0.5 else 0.0
        starts = random.integers(0, len(tokens) - length - 1, batch)
        windows = torch.from_numpy(np.stack([tokens[s : s + length + 1] for s in starts]).astype(np.int64))
        loss = functional.cross_entropy(model(windows[:, :-1]).reshape(-1, VOCABULARY), windows[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.3f} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        step += 1


def write_model(path: Path, model: Model, tokenizer: Tokenizer) -> None:
    """GGUF as Microsoft's converter lays it out: I2_S matrices, float16 embedding, float32 norms."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    prefix = "bitnet-b1.58."
    metadata = {
        "general.architecture": "bitnet-b1.58",
        "general.name": "jargon",
        "general.license": "CC0-1.0",
        "general.description": "A small BitNet b1.58 trained on the Jargon File 4.4.7",
        "general.file_type": 40,
        "general.quantization_version": 2,
        **{prefix + key: value for key, value in {
            "vocab_size": VOCABULARY, "context_length": CONTEXT, "embedding_length": HIDDEN, "block_count": LAYERS,
            "feed_forward_length": FEED_FORWARD, "rope.dimension_count": HEAD, "attention.head_count": HEADS,
            "attention.head_count_kv": KV_HEADS, "attention.layer_norm_rms_epsilon": EPSILON,
            "rope.freq_base": ROPE_BASE,
        }.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [token for token, _ in vocabulary],
        "tokenizer.ggml.token_type": np.array([3 if token == END else 1 for token, _ in vocabulary], np.int32),
        "tokenizer.ggml.merges": [" ".join(pair) if isinstance(pair, list) else pair for pair in merges],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
    }  # fmt: skip
    tensors = [NewTensor("token_embd.weight", model.token_embd.detach().numpy().astype(np.float16))]
    for number, layer in enumerate(model.layers):
        for name, part in layer.named_children():
            if isinstance(part, BitLinear):
                ternary, scale = (value.numpy() for value in part.ternary())
                packed = formats.get("i2_s").pack(ternary.astype(np.int8), np.float32(scale))
                data = PackedMatrix(packed, tuple(ternary.shape))
            else:
                data = part.weight.detach().numpy()
            tensors.append(NewTensor(f"blk.{number}.{name}.weight", data))
    tensors.append(NewTensor("output_norm.weight", model.output_norm.weight.detach().numpy()))
    write(path, metadata, tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--to", type=Path, default=Path("jargon.gguf"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=60, help="training ends by then, its schedule with it")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    try:
        texts = entries(given.text.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{given.text}: {error}")
    if len(texts) <= HELD_OUT:
        parser.error(f"{given.text}: {len(texts)} entries; want the unpacked text of the Jargon File")
    trained, held_out = texts[:-HELD_OUT], texts[-HELD_OUT:]
    tokenizer = tokenizer_of(trained)
    ids = {name: np.concatenate([[0, *one.ids] for one in tokenizer.encode_batch(some)]).astype(np.uint16)
           for name, some in (("trained", trained), ("held out", held_out))}  # fmt: skip
    model = Model()
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count} parameters, {len(ids['trained'])} tokens", file=sys.stderr)
    train(model, ids["trained"], given.steps, given.minutes)
    model.eval()
    model.token_embd.data = model.token_embd.data.half().float()  # as in the file
    write_model(given.to, model, tokenizer)
    given.to.with_name("held-out.txt").write_text("".join(held_out), "utf-8")
    figures = {
        "parameters": count,
        "trained_tokens": len(ids["trained"]),
        "held_out_tokens": len(ids["held out"]),
        "perplexity": perplexity(model, ids["held out"]),
        "context": 256,
    }
    given.to.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
