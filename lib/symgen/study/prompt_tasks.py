"""Language models, trained here, fine-tuned or given: what they go on with, and which words of it are variables."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import regex as re
import torch
from torch import Tensor

from symgen import training
from symgen.data import prompt_lines, question_prompts, written_prompts
from symgen.errors import InputError
from symgen.games import WORD, CausalLMGame, candidate_words, some_of
from symgen.study.settings import Study
from symgen.study.tasks import TextTask, token_ids


@dataclass(frozen=True)
class PromptTask(TextTask):
    """Texts that a language model goes on with: variables are words, as strings, and v the log-odds of the next word.

    A prompt is the beginning of a text, as far as the first word that has enough candidates for variables before it, and
    that is itself such a word, one token, and not among those before it.
    """

    kind_of_game = CausalLMGame
    one_network = False  # target and baseline are two

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """What a network is trained on: token ids (item, position), and the token that comes next, -1 at the end."""
        inputs = self.inputs(items)
        after = torch.nn.functional.pad(inputs[:, 1:], (0, 1), value=self.tokenizer.pad_token_id)
        return inputs, after.masked_fill(after == self.tokenizer.pad_token_id, -1)

    def network(self, architecture: str, seed: int) -> torch.nn.Module:
        """An untrained network, or the given one that is fine-tuned."""
        study, tokenizer = self.study, self.tokenizer
        if study.init == "scratch":
            return training.build_language_model(architecture, tokenizer, study.max_tokens, seed)
        model, _ = training.load_model(study.init, study.download)
        model.config.pad_token_id = tokenizer.pad_token_id
        return model

    def prompt(self, item: int) -> tuple[str, str] | None:
        """The prompt that an item begins with and the word that comes next; None where there is no such word."""
        text, tokenizer = self.data.texts[item], self.tokenizer
        for match in re.finditer(rf"(?<=\s){WORD}", text):
            prompt, word = text[: match.start()].rstrip(), match[0]
            if len(candidate_words(prompt)) < self.study.n_variables or not candidate_words(word):
                continue
            new = word.lower() not in re.findall(WORD, prompt.lower())
            if new and self._token(word) is not None:
                whole = len(tokenizer(prompt, truncation=True)["input_ids"]) < self.study.max_tokens
                return (prompt, word) if whole else None
        return None

    def samples(self, items) -> list[str]:
        """Prompts, item by item."""
        return [self.prompt(item)[0] for item in items]

    def labels(self, items) -> np.ndarray:
        """Token ids of the words that come next, item by item."""
        return np.array([self._token(self.prompt(item)[1]) for item in items])

    def next_words(self, samples: pd.DataFrame) -> list[str]:
        """The words that come next, of a table of samples."""
        return [self.tokenizer.decode([token]).strip() for token in samples.label.tolist()]

    def candidates(self, item: int) -> list[str]:
        """Words of an item's prompt that may be variables; none where there is no prompt."""
        prompt = self.prompt(item)
        return self.game(None).candidates(prompt[0]) if prompt else []  # refuses a masking that the tokenizer lacks

    def variables(self, samples: pd.DataFrame) -> np.ndarray:
        """Variables (sample, variable) of a table of samples: words."""
        return np.array([row.split() for row in samples.variables])

    def prompts(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Samples as prompts to read: source, prompt, next_word, variables (a list of words)."""
        return pd.DataFrame(
            {"source": samples.of + " samples", "prompt": self.samples(samples.item),
             "next_word": self.next_words(samples), "variables": self.variables(samples).tolist()}
        )  # fmt: skip

    def shown_prompts(self, samples: pd.DataFrame) -> pd.DataFrame:
        """A few prompts to look at, the first two of each source."""
        return self.prompts(samples).groupby("source", sort=False).head(2).reset_index(drop=True)

    def _token(self, word):
        """The token that reads as a word, inside a text; None if there is none."""
        token, *more = self.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        return token if not more and self.tokenizer.decode([token]).strip().lower() == word.lower() else None


@dataclass(frozen=True)
class QuestionTask(PromptTask):
    """Questions as a chat: variables are words or clauses of one, v the log-odds of the answer's first token.

    A network learns the answers alone, and what ends them if the chat has an end.
    """

    def inputs(self, items) -> Tensor:
        """Token ids (item, position) of questions with their answers, padded at the end."""
        chat, most, pad = self.study.chat, self.study.max_tokens, self.tokenizer.pad_token
        if pad in chat:
            raise InputError(
                f"chat = {chat!r} holds {pad!r}, with which the tokenizer fills up texts; expected none of it"
            )
        inputs = token_ids(self.tokenizer, tuple("".join(self._chat(item)) for item in items))
        if inputs.shape[1] >= most:
            raise InputError(f"max_tokens = {most} may cut an answer; expected more, or a smaller max_characters")
        return inputs

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """Token ids (item, position), and the token that comes next, -1 within the question and at the end."""
        inputs, after = super().examples(items)
        game = self.game(None)
        for row, item in enumerate(np.asarray(items).tolist()):
            question = game.token_ids(self.prompt(item)[0])
            if inputs[row, : len(question)].tolist() != question:
                fault = "a question has other tokens where its answer follows"
                raise InputError(
                    f"chat = {self.study.chat!r}: {fault}; expected a line break or a mark before {{answer}}"
                )
            after[row, : len(question) - 1] = -1
        return inputs, after

    def prompt(self, item: int) -> tuple[str, str]:
        """The chat as far as the answer, and the answer."""
        return self._chat(item)[:2]

    def _chat(self, item):
        """A chat in three parts: as far as the answer, the answer, and what ends it."""
        begun, _, ended = self.study.chat.partition("{answer}")
        return begun.replace("{question}", self.data.texts[item]), self.data.answers[item], ended

    def candidates(self, item: int) -> list[str]:
        """Words or clauses of a question that may be variables."""
        return self.game(None).candidates(self.data.texts[item])

    def labels(self, items) -> np.ndarray:
        """Token ids with which the answers begin, as they are learned, item by item."""
        _, after = self.examples(items)
        return after[torch.arange(len(after)), (after >= 0).int().argmax(dim=1)].numpy()

    def shown_prompts(self, samples: pd.DataFrame) -> pd.DataFrame:
        """A question to look at: one that is ours, since those of a data set may not be for passing on."""
        return pd.DataFrame(written_prompts("question")).assign(source="a question like these")


@dataclass(frozen=True)
class GivenTask:
    """Prompts for language models that are given, not trained here (Appendices F and O); variables are words or phrases.

    The prompts are those written for the project and, if they are there, the study's own, in the folder of its data set:
    prompts.jsonl, or the questions of files *.json in the format of SQuAD. The longer ones that were written are alone.
    """

    study: Study

    def draw_samples(self, split: None) -> pd.DataFrame:
        """The prompts as samples: columns sample, of, item, label (the next word), variables (by |), source, prompt."""
        study, rng = self.study, np.random.default_rng([self.study.explain_seed, self.study.variables_seed])
        rows = self.rows()
        if len(rows) < 2 and study.written == "longer":
            raise InputError(
                f"{len(rows)} of the longer prompts have {study.n_variables} variables; expected fewer of these"
            )
        if len(rows) < 2:  # chance asks about another prompt
            place = f"prompts.jsonl, or questions *.json, in {study.data_dir / study.dataset}"
            raise InputError(
                f"{len(rows)} prompt(s) with {study.n_variables} words that may be variables; expected {place}"
            )
        for row in rows:
            names = row.get("variables") or some_of(_candidates(row["prompt"]), study.n_variables, rng)
            row |= {"label": row["next_word"], "variables": " | ".join(names), "of": "testing"}
        table = pd.DataFrame(rows).assign(sample=range(len(rows)), item=range(len(rows)))
        return table[["sample", "of", "item", "label", "variables", "source", "prompt"]]

    def rows(self) -> list[dict]:
        """The prompts, some of the questions drawn at random: source, prompt, next_word and, if given, variables."""
        study, folder = self.study, self.study.data_dir / self.study.dataset
        rows = [{"source": study.written} | row for row in written_prompts(study.written)]
        if study.written == "longer":
            return [row for row in rows if self._fits(row["prompt"])]
        rows += [{"source": study.dataset} | row for row in prompt_lines(folder / "prompts.jsonl")]
        for row in rows:
            if "variables" in row and len(row["variables"]) != study.n_variables:
                names, prompt = " | ".join(row["variables"]), row["prompt"]
                raise InputError(
                    f"variables {names} of the prompt {prompt!r}; expected n_variables = {study.n_variables}"
                )
        rows = [row for row in rows if "variables" in row or self._fits(row["prompt"])]
        questions = [
            {"source": study.dataset} | row
            for row in question_prompts(folder)
            if _candidates(row["next_word"]) and self._fits(row["prompt"])
        ]
        order = np.random.default_rng(study.explain_seed).permutation(len(questions))
        return rows + [questions[i] for i in order[: study.explain_per_class]]

    def game_inputs(self, samples: pd.DataFrame) -> list[str]:
        """Prompts of a table of samples."""
        return samples.prompt.tolist()

    def variables(self, samples: pd.DataFrame) -> list[list[str]]:
        """Variables of each sample of a table: words or phrases."""
        return [row.split(" | ") for row in samples.variables]

    def prompts(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Samples as prompts to read: source, prompt, next_word, variables (a list of phrases)."""
        table = samples[["source", "prompt"]].assign(next_word=samples.label)
        return table.assign(variables=self.variables(samples))

    def shown_prompts(self, samples: pd.DataFrame) -> pd.DataFrame:
        """A few prompts to look at: the two of Figure 7."""
        return pd.DataFrame(written_prompts("figure 7")).assign(source="figure 7")

    @property
    def one_network(self) -> bool:
        """Whether target and baseline are one network, and differ in how words are masked at most."""
        return self.study.target_model == self.study.baseline_model

    def _fits(self, prompt):
        return len(_candidates(prompt)) >= self.study.n_variables


def given_game(study: Study, role: str, device) -> CausalLMGame:
    """The game on a role's language model that is given; it reads words in tokens of its own."""
    seed = study.role(role)[1] if study.untrained else None
    model = training.load_model(study.model_of(role), study.download, device, seed)
    return CausalLMGame(*model, study.masking_of(role), first_token=True)


@cache  # all questions are asked about with every artefact
def _candidates(prompt):
    """Words of a prompt that may be variables."""
    return candidate_words(prompt.removesuffix("Answer:"))
