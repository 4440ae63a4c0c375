"""References that are computed now: by a program of llama.cpp, by llama-cpp-python, or by transformers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.crossval.ladder import Rung
from kernels.crossval.reference import LOGITS, Reference, of
from kernels.errors import InputError
from kernels.generate import Generation, generate
from kernels.gguf import ModelFile
from kernels.model import Model
from kernels.tokenizer import Tokenizer

F32 = 0
"""The type of a cache that rounds nothing, in ggml's numbers."""

PATIENCE_S = 600.0
"""Seconds a program may take."""

MOST_SAID = 2**24
"""Bytes a program may say: far more than the text of any context."""

LAST_WORDS = 2**12
"""Bytes kept of the end of what it complains of."""

NO_CHAT = "-no-cnv"
"""Keeps llama-cli from a conversation; versions that begin none do not know it, and say so."""

PIECE = 2**16
"""Bytes read at a time."""


def text_of(program: Path, model: Path, prompt: str, most: int) -> str:
    """What a program goes on with, greedily: ``llama-simple``, or one with the options of ``llama-cli``.

    Raises
    ------
    InputError
        It cannot be run, takes or says too much, or ends with an error; its last words are told.
    """
    program = (
        program.absolute() if program.exists() else program
    )  # a bare name of a file here is meant, not one in PATH
    command = [str(program), "-m", str(model), "-n", str(most)]
    if "simple" in program.name:
        command.append(prompt)
    else:
        command += ["-p", prompt, "--temp", "0", "--no-display-prompt", NO_CHAT]
    try:
        code, said, last = _ran(command)
        if code and NO_CHAT.encode() in last:
            code, said, last = _ran(command[:-1])
    except subprocess.TimeoutExpired:
        raise InputError(f"{program} took longer than {PATIENCE_S:g} seconds") from None
    except OSError as error:
        raise InputError(f"{program}: {error}") from None
    if code:
        lines = _text(last).strip().splitlines() or [""]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1])  # what follows says it failed
        raise InputError(f"{program} ended with {code}: {reason[:300]}")
    return _text(said)


def _ran(command: list[str]) -> tuple[int, bytes, bytes]:
    """The exit code of a program, all it says and the end of what it complains of; killed where that is too much."""
    ends, said, last = monotonic() + PATIENCE_S, bytearray(), b""
    quiet, piped = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdin=quiet, stdout=piped, stderr=piped) as child, DefaultSelector() as pipes:
        try:
            for pipe in (child.stdout, child.stderr):
                assert pipe is not None
                pipes.register(pipe, EVENT_READ)
            while pipes.get_map():
                for key, _ in pipes.select(max(0, ends - monotonic())):
                    part = os.read(key.fd, PIECE)
                    if not part:
                        pipes.unregister(key.fileobj)
                    elif key.fileobj is child.stdout:
                        said += part
                    else:
                        last = (last + part)[-LAST_WORDS:]
                if len(said) > MOST_SAID:
                    raise InputError(f"{command[0]} said more than {MOST_SAID} bytes, the most that is read of it")
                if monotonic() >= ends:
                    break
            return child.wait(max(0, ends - monotonic())), bytes(said), last
        finally:
            child.kill()


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def same_text(model: Model, tokenizer: Tokenizer, prompt: str, most: int, said: str) -> Rung:
    """Whether the model goes on as a program did, which may repeat the prompt and may end with a line of its own."""
    generation = Generation(tokenizer.encode(prompt))
    for repeated in (prompt, _pieces(tokenizer, generation.prompt), _pieces(tokenizer, generation.prompt, True)):
        said = said.removeprefix(repeated)
    for _ in generate(model, generation, most=most, ends=tokenizer.end_ids):
        pass
    ours = _pieces(tokenizer, generation.tokens)
    if not ours.strip() and not said.strip():
        return Rung("greedy text", False, said="neither says anything")
    same = next((n for n, (a, b) in enumerate(zip(ours, said, strict=False)) if a != b), min(len(ours), len(said)))
    if same == len(ours) and not said[same:].replace("[end of text]", "").strip():
        return Rung("greedy text", True, said=f"{len(generation.tokens)} tokens")
    near = slice(max(0, same - 10), same + 20)
    return Rung("greedy text", False, said=f"after {same} characters {ours[near]!r}; the reference has {said[near]!r}")


def _pieces(tokenizer: Tokenizer, ids: list[int], special: bool = False) -> str:
    """Tokens as these programs print them: each by itself, the space before the first among them."""
    return b"".join(tokenizer.raw(number, special=special) for number in ids).decode("utf-8", "replace")


def llama_cpp(path: Path, tokens: NDArray[np.int64]) -> Reference:
    """Logits of llama-cpp-python."""
    library = import_module("llama_cpp")
    try:
        made = library.Llama(
            str(path),
            n_ctx=len(tokens) + 8,
            n_batch=len(tokens),
            logits_all=True,
            verbose=False,
            type_k=F32,
            type_v=F32,
            flash_attn=False,
        )
        made.eval(tokens.tolist())
        logits = np.array(made.scores[: len(tokens)], np.float32)
    except (ValueError, RuntimeError, OSError) as error:
        raise InputError(f"llama-cpp-python cannot run {path}: {error}") from None
    return of("llama-cpp-python", tokens, {LOGITS: logits}, edges=True)


def transformers(
    path: Path, tokens: NDArray[np.int64], layouts: Any = None, activation: str | None = None
) -> Reference:
    """Logits of transformers' BitNet with the file's weights, its linear layers rounding activations as BitNet does."""
    torch, library = import_module("torch"), import_module("transformers")
    model = Model(ModelFile(path), "numpy", layouts=layouts, activation=activation)
    each = model.sizes
    config = library.BitNetConfig(
        vocab_size=each.vocabulary, hidden_size=each.hidden, intermediate_size=each.feed_forward,
        num_hidden_layers=each.layers, num_attention_heads=each.heads, num_key_value_heads=each.kv_heads,
        hidden_act=each.activation, max_position_embeddings=each.context, rms_norm_eps=each.epsilon,
        rope_theta=each.rope_base, rope_parameters={"rope_type": "default", "rope_theta": each.rope_base},
        tie_word_embeddings=False, attention_bias=False, attn_implementation="eager", bos_token_id=None,
        eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    made = library.BitNetForCausalLM(config).eval()
    head = model.weights.head.weights
    state = {
        "model.embed_tokens.weight": model.weights.embedding, "model.norm.weight": model.weights.output_norm,
        "lm_head.weight": head,
    }  # fmt: skip
    homes = {
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_sub_norm": "self_attn.attn_sub_norm", "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_sub_norm": "mlp.ffn_sub_norm", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    for number, layer in enumerate(model.weights.layers):
        for name, home in homes.items():
            part = getattr(layer, name)
            state[f"model.layers.{number}.{home}.weight"] = part if isinstance(part, np.ndarray) else part.unpack()
    made.load_state_dict({name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()})

    def rounded(module: Any, given: Any) -> Any:
        factor = 127 / given[0].abs().amax(-1, keepdim=True).clamp(min=1e-5)
        module.factor = factor
        return ((given[0] * factor).round().clamp(-128, 127), *given[1:])

    for number, layer in enumerate(model.weights.layers):
        for name, home in homes.items():
            if not isinstance(getattr(layer, name), np.ndarray):
                linear = made.get_submodule(f"model.layers.{number}.{home}")
                scale = float(getattr(layer, name).scale)
                linear.register_forward_pre_hook(rounded)
                linear.register_forward_hook(lambda module, _, out, scale=scale: out / module.factor * scale)
    with torch.no_grad():
        logits = made(torch.from_numpy(tokens)[None]).logits[0].numpy()
    return of("transformers", tokens, {LOGITS: logits}, edges=True)


Maker = Callable[..., Reference]

ROUNDINGS = {"llama-cpp-python": "llama.cpp"}
"""The rounding of what is installed, where it is not ours."""


def at_hand(architecture: str) -> dict[str, Maker]:
    """What is installed that knows this architecture, best first."""
    found: dict[str, Maker] = {}
    if find_spec("llama_cpp") is not None and architecture == "bitnet":  # upstream knows no other name
        found["llama-cpp-python"] = llama_cpp
    if find_spec("transformers") is not None and find_spec("torch") is not None:
        found["transformers"] = transformers
    return found
