"""A WordPiece tokenizer from the texts of a training set alone: the same texts give the same vocabulary; or a given one."""

from collections import Counter
from collections.abc import Iterable

from symgen.errors import InputError
from symgen.training.pretrained import from_transformers, given, loading

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
AFFIXES = range(2, 6)  # lengths of the beginnings and endings that may become pieces


def build_tokenizer(texts: Iterable[str], min_count: int, max_tokens: int):
    """A fast BERT tokenizer, lower case, whose vocabulary comes from `texts`; what is longer than max_tokens is cut.

    Pieces are the words that occur at least `min_count` times, the beginnings and endings (2 to 5 letters) that at least
    ten times as many different words share, and every character. Trained vocabularies of the same size serve as well,
    but ties in their training fall differently from run to run.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    (fast_tokenizer,) = from_transformers("BertTokenizerFast")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    normal = (tokenizer.normalizer.normalize_str(text) for text in texts)
    words = Counter(word for text in normal for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    vocabulary = [*SPECIAL, *sorted(_pieces(words, min_count))]
    tokenizer.model = models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]")
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return fast_tokenizer(tokenizer_object=tokenizer, model_max_length=max_tokens)


def load_tokenizer(name: str, max_tokens: int, download: bool = False):
    """The fast tokenizer that comes with a given model (see `given`); what is longer than max_tokens is cut.

    InputError if there is no token of its own to fill up texts.
    """
    (tokenizers,) = from_transformers("AutoTokenizer")
    with loading(name):
        options = {"model_max_length": max_tokens, "padding_side": "right"}
        tokenizer = tokenizers.from_pretrained(**given(name, download), **options)
    if tokenizer.pad_token_id is None:
        raise InputError(f"the tokenizer of {name!r} has no pad_token; expected one, to fill up texts")
    return tokenizer


def _pieces(words, min_count):
    """Pieces of a vocabulary from words and their counts; "##" marks those inside a word."""
    characters = {character for word in words for character in word}
    affixes = Counter()
    for word in words:
        sizes = [size for size in AFFIXES if size < len(word)]
        affixes.update([word[:size] for size in sizes] + ["##" + word[-size:] for size in sizes])
    pieces = {word for word, count in words.items() if count >= min_count}
    pieces |= {affix for affix, count in affixes.items() if count >= 10 * min_count}
    return pieces | characters | {"##" + character for character in characters}
