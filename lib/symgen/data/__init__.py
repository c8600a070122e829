"""Images, texts and prompts: where they come from, how they are read and checked, and who gets which."""

from symgen.data.datasets import EMBEDDED_SETS, MODALITIES, QUESTIONS, load_dataset, modality_of
from symgen.data.prompts import prompt_lines, question_prompts, written_prompts
from symgen.data.sources import Images, Texts
from symgen.data.split import deal
from symgen.data.text_sets import standing_within
