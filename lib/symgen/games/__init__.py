"""From a network and a sample to v, its output on all masked inputs: images, texts, prompts of language models."""

from symgen.games._asking import as_array, check_game, pictured, samples_of, values_of, variables_of
from symgen.games._base import LOG_ODDS, ROUNDING, full_float32, log_odds
from symgen.games.causal_lm import CausalLMGame
from symgen.games.images import ImageGame
from symgen.games.texts import TextGame
from symgen.games.variables import (
    UNSPACED,
    WORD,
    candidate_words,
    cell_boxes,
    draw_cells,
    draw_words,
    pieces_of,
    places_of,
    some_of,
)
