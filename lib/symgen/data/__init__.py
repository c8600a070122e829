"""Images, texts and prompts: where they come from, how they are read and checked, and who gets which."""

from symgen.data.datasets import Images, Texts, modality_of
from symgen.data.text_sets import standing_within

__all__ = ["Images", "Texts", "modality_of", "standing_within"]
