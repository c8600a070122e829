"""Prompts for language models that are given: written for the project, lines of a file, or questions in SQuAD's format."""

import json
from functools import lru_cache
from pathlib import Path

import regex as re
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from symgen.errors import InputError
from symgen.store import file_state, project_root

LONGEST = 35  # words of a question and of the sentence that answers it


def written_prompts(key: str) -> list[dict]:
    """Prompts of data/prompts.yaml under a key: each with prompt, next_word, and perhaps variables."""
    return yaml.safe_load((project_root() / "data" / "prompts.yaml").read_bytes())[key]


def prompt_lines(path: Path) -> list[dict]:
    """Prompts of a file of JSON lines with the keys prompt, next_word and perhaps variables; none if there is no file."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [_prompt(line, f"{path}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def question_prompts(folder: Path) -> list[dict]:
    """Prompts from all files *.json of a folder in the format of SQuAD."""
    files = sorted(folder.glob("*.json"))
    return [prompt for path in files for prompt in _squad_of(path, *file_state(path))]


@lru_cache(maxsize=8)  # asked for with every artefact; read again when the file changes
def _squad_of(path, *state):
    """Prompts of one file; InputError names a file that is not in the format."""
    try:
        return squad_prompts(json.loads(path.read_bytes()))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"damaged data: {path} is not in the format of SQuAD: {error!r}") from None


def squad_prompts(squad: dict) -> list[dict]:
    """Prompts from questions in the format of SQuAD (1.1): the sentence that holds the answer, then the question.

    The next word is the first of the answer; what has no answer, or is longer than LONGEST words, is left out.
    """
    prompts = []
    for paragraph in (paragraph for article in squad["data"] for paragraph in article["paragraphs"]):
        for question in (question for question in paragraph["qas"] if question["answers"]):
            answer = question["answers"][0]
            sentence = _sentence_at(paragraph["context"], answer["answer_start"])
            prompt = f"{sentence} {question['question'].strip()} Answer:"
            word = re.match(r"[\w\p{No}]+", answer["text"])
            if word and len(prompt.split()) <= LONGEST:
                prompts.append({"prompt": prompt, "next_word": word[0]})
    return prompts


class Prompt(BaseModel):
    """A prompt as it stands in a line of a file."""

    model_config = ConfigDict(strict=True, extra="allow")
    prompt: str
    next_word: str
    variables: list[str] = []


def _prompt(line, source):
    """A line as a mapping, with what it holds besides; InputError for what is no prompt."""
    try:
        return Prompt.model_validate_json(line).model_dump(exclude_unset=True)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"damaged data: {source}: {' '.join([*map(str, fault['loc']), fault['msg']])}") from None


def _sentence_at(text, position):
    """The sentence of a text that a position is in."""
    starts = [0, *(gap.end() for gap in re.finditer(r"(?<=[.!?])\s+(?=[A-Z])", text)), len(text) + 1]
    start = max(edge for edge in starts if edge <= position)
    return text[start : min(edge for edge in starts if edge > position)].strip()
