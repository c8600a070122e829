"""Prompts for language models that are given: written for the project, lines of a file, or questions in SQuAD's format."""

import json
import re
from functools import lru_cache
from pathlib import Path

import yaml

from symgen.errors import InputError
from symgen.store import file_state, project_root

LONGEST = 35  # words of a question and of the sentence that answers it


def written_prompts(key: str) -> list[dict]:
    """Prompts of data/prompts.yaml under a key: each with prompt, next_word, and perhaps variables."""
    return yaml.safe_load((project_root() / "data" / "prompts.yaml").read_bytes())[key]


def prompt_lines(path: Path) -> list[dict]:
    """Prompts of a file of JSON lines with the keys prompt, next_word and perhaps variables; none if there is no file."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [
        _parsed(line, f"{path}, line {i}", "prompt", "next_word") for i, line in enumerate(lines, 1) if line.strip()
    ]


def question_prompts(folder: Path) -> list[dict]:
    """Prompts from all files *.json of a folder in the format of SQuAD."""
    files = sorted(folder.glob("*.json"))
    return [prompt for path in files for prompt in _squad_of(path, *file_state(path))]


@lru_cache(maxsize=8)  # asked for with every artefact; read again when the file changes
def _squad_of(path, size, changed):
    """Prompts of one file; InputError names a file that is not in the format."""
    squad = _parsed(path.read_bytes(), path, "data")
    try:
        return squad_prompts(squad)
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
            word = re.match(r"\w+", answer["text"])
            if word and len(prompt.split()) <= LONGEST:
                prompts.append({"prompt": prompt, "next_word": word[0]})
    return prompts


def _parsed(text, source, *keys):
    """A mapping from JSON that has the keys."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"damaged data: {source} is no valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"damaged data: {source} holds a {type(content).__name__}; expected a mapping")
    if missing := [key for key in keys if key not in content]:
        raise InputError(f"damaged data: {source} has no {missing[0]!r}; expected {' and '.join(keys)}")
    return content


def _sentence_at(text, position):
    """The sentence of a text that a position is in."""
    starts = [0, *(gap.end() for gap in re.finditer(r"(?<=[.!?])\s+(?=[A-Z])", text)), len(text) + 1]
    start = max(edge for edge in starts if edge <= position)
    return text[start : min(edge for edge in starts if edge > position)].strip()
