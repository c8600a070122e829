"""A WordPiece tokenizer from the texts of a training set alone: the same texts give the same vocabulary; or a given one."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from symgen.errors import InputError
from symgen.store import project_root

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
    """The fast tokenizer that comes with a given model (see `given`); what is longer than max_tokens is cut."""
    (tokenizers,) = from_transformers("AutoTokenizer")
    with loading(name):
        return tokenizers.from_pretrained(**given(name, download), model_max_length=max_tokens)


def given(name: str, download: bool = False) -> dict:
    """Arguments of `from_pretrained` for a model that is given, ValueError if it is not there.

    `name`: a folder, from the project's top folder; <package>/<folder>, which an installed package brings along; or, with
    `download`, a name of the Hugging Face hub.
    """
    package = name.partition("/")[0]
    installed = find_spec(package) if package.isidentifier() else None
    inside = getattr(installed, "submodule_search_locations", None) or ()
    folders = [place / name for place in (project_root(), *(Path(package).parent for package in inside))]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None and not download:
        remedy = "put the model's folder there, install the package that brings it, or set download: true for the hub's"
        raise InputError(f"missing model: {folders[0].name} was looked for in {folders[0].parent}; {remedy}")
    where = {"pretrained_model_name_or_path": folder or name, "local_files_only": not download}
    return where | {"trust_remote_code": False}


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Says in one line what is wrong with the files of a given model."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        fault = str(error).splitlines()[0]
        remedy = "expected config.json, model.safetensors and tokenizer.json of a model of Hugging Face"
        raise InputError(f"model {name!r} cannot be loaded: {fault}; {remedy}") from None


def from_transformers(*names: str) -> list:
    """Classes of `transformers`, imported (which takes seconds) without its warning that a notebook lacks widgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import transformers

        return [getattr(transformers, name) for name in names]


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
