"""Masked evaluation: what `values` costs, against a plain forward pass of what masking changes.

    python benchmarks/values.py

For each network: seconds per sample for all 2^n masked inputs (n = 10, of large networks 7 or 8), one thread, against a
plain forward pass at its best batch size, and against masking one input at a time as a loop would. Plain is, of an image,
that of all layers behind the cut; of a text, that of the whole network; of a prompt, that of the tokens that no masked
prompt shares with an earlier one: how many a second is shown beside it. The large language model is shaped as SmolLM2-135M.
"""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torchvision
import transformers
from hardware import hardware

from symgen import CausalLMGame, ImageGame, TextGame, draw_cells
from symgen.training import build_tokenizer, models

RESULTS = Path(__file__).parent / "results" / "values.csv"
REPEATS = 9
rng = np.random.default_rng(0)
WORDS = [f"word{i}" for i in range(37)]


def images(network, size, n=10):
    """Calls that take seconds: all masked images, the layers behind the cut on as many maps, an image."""
    network = network.eval().to(memory_format=torch.channels_last)  # as the study runs its networks
    parts = list(network.named_children())
    if hasattr(network, "features"):
        cut, rest = "features.1", [*network.features[2:], *(part for name, part in parts if name == "avgpool")]
    else:
        cut, rest = "relu", [part for name, part in parts if name not in ("conv1", "bn1", "relu", "fc")]
    rest = torch.nn.Sequential(*rest, torch.nn.Flatten(), parts[-1][1])
    image, cells = torch.rand(3, size, size), draw_cells(n, 5, rng)
    game = ImageGame(network, cut)
    maps = game.mean_map(image[None]).expand(1 << n, -1, -1, -1).contiguous(memory_format=torch.channels_last)
    return lambda: game.values(image, 0, cells), rest, maps, lambda: network(image[None]), 1 << n, 0


def texts():
    """The same for a text of 39 tokens through BERT 2 x 64."""
    text, tokenizer = " ".join(WORDS), build_tokenizer([" ".join(WORDS)], 1, 64)
    network = models.build_bert("bert-2x64", 2, tokenizer, 64, seed=1).eval()
    game, ids = TextGame(network, tokenizer), torch.tensor(tokenizer(text)["input_ids"])
    variables = list(range(0, 30, 3))
    calls = lambda: game.values(text, 1, variables), network, ids.repeat(1024, 1), lambda: network(ids[None])
    return *calls, 1024, 0


def small_language_model(tokenizer):
    """Llama 2 x 64, as the study trains it."""
    return models.build_language_model("llama-2x64", tokenizer, 64, seed=1).eval()


def large_language_model(_):
    """A Llama of the shape of SmolLM2-135M."""
    sizes = {"hidden_size": 576, "num_hidden_layers": 30, "intermediate_size": 1536, "vocab_size": 49152}
    heads = {"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **heads)).eval()


def prompts(build, n):
    """The same for a prompt through a language model; plain are as many tokens as its prefixes leave."""
    text, tokenizer = " ".join(WORDS), build_tokenizer([" ".join(WORDS)], 1, 64)
    network = build(tokenizer)
    game, variables = CausalLMGame(network, tokenizer), WORDS[4 : 4 + 3 * n : 3]
    ids = torch.tensor(game._read(text)[0])
    of_token = game.tokens_of(text, variables)
    turns = sorted({0, *np.flatnonzero(of_token.any(axis=1)).tolist(), len(ids)})
    tokens = sum((stop - start) * 2 ** int(of_token[:stop].any(axis=0).sum()) for start, stop in pairwise(turns))
    rows, plain = ids.repeat(round(tokens / len(ids)), 1), lambda part: network(part, logits_to_keep=1)
    return lambda: game.values(text, 7, variables), plain, rows, lambda: network(ids[None]), 1 << n, tokens


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_parts(forward, rows, size):
    for part in rows.split(size):
        forward(part)


@torch.inference_mode()
def measure(name, calls, repeats=REPEATS):
    """The least of some repeats of each, in turns; the plain pass at the best of some batch sizes."""
    ours, forward, rows, one, n_masked, tokens = calls
    ours()  # finds its plan and its chunk
    sizes = [size for size in (16, 32, 64, 128, 256, 512, 1024) if size <= len(rows)]
    least = {size: min(seconds(lambda size=size: in_parts(forward, rows, size)) for _ in range(3)) for size in sizes}
    best = min(least, key=least.get)
    times = [(seconds(ours), seconds(lambda: in_parts(forward, rows, best)), seconds(one)) for _ in range(repeats)]
    values, plain, single = np.min(times, axis=0)
    return {
        "network": name, "seconds": values, "plain_forward": plain, "ratio_to_plain": values / plain,
        "speedup_over_loop": single * n_masked / values, "batch": best, "rows": len(rows),
        "tokens_per_second": tokens / values or np.nan, "plain_tokens_per_second": tokens / plain or np.nan,
    }  # fmt: skip


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(hardware())
    cases = {"small-vgg, 30 px": images(models.build_model("small-vgg", 10, 0), 30)}
    cases |= {"vgg11, 32 px": images(torchvision.models.vgg11(num_classes=10), 32)}
    cases |= {"bert-2x64, 39 tokens": texts(), "llama-2x64, 37 tokens": prompts(small_language_model, 10)}
    rows = [measure(name, calls) for name, calls in cases.items()]
    rows.append(measure("resnet18, 224 px, n = 7", images(torchvision.models.resnet18(), 224, 7), repeats=3))
    rows.append(measure("llama-30x576, 37 tokens, n = 8", prompts(large_language_model, 8), repeats=3))
    table = pd.DataFrame(rows).assign(hardware=hardware())
    print(table.drop(columns="hardware").round(4).to_string(index=False))
    table.to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
