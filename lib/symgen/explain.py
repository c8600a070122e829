"""From a game and a sample to its explanation: interactions, their fidelity, their pictures, and what generalizes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from symgen.errors import InputError, did_you_mean, whole_number
from symgen.games import (
    LOG_ODDS,
    ROUNDING,
    as_array,
    check_game,
    pictured,
    pieces_of,
    samples_of,
    values_of,
    variables_of,
)
from symgen.generalization import Comparison, check_tau_ratio, checked_k, compare, folded, salient
from symgen.interactions import (
    KINDS,
    and_interactions,
    dictionary_size,
    fidelity,
    fidelity_curve,
    joined_names,
    keep_strongest,
    logical_model,
    members,
    n_variables,
    orders,
    shares,
    sparse_and_or,
    subset_index,
)
from symgen.store import as_netcdf, read_dataset, write_whole

FORMAT = 1  # of saved explanations; raise it when an older version could not read them
PICTURES = ("bars", "cells", "words", "network", "fidelity", "masks")
DUST = 1e-9  # of the strongest effect: what is smaller is rounding
NEEDED = {"cells": "image", "words": "words"}
# what every file of an explanation holds
SAVED = {"v", "effects", "noise", "bias", "bound", "gap", "label", "variables", "names"}
ARRAYS = ("v", "effects", "noise", "bias", "bound", "gap", "label", "names")  # of an explanation, by name


def explain(
    game,
    x,
    label,
    variables=10,
    seed: int = 0,
    *,
    noise_bound: float = 0.04,
    ridge: float = 0.5,
    tau_ratio: float = 0.05,
) -> "Explanation":
    """Sparse AND-OR interactions of a network's output on one sample, or on each of several.

    Parameters
    ----------
    game : ImageGame, TextGame, CausalLMGame, or any object with `values(x, label, variables)`
        `values` gives v (2^n,) of one sample: the output with the variables masked that are not in each subset, bit i of the
        index being variable i. What more there is gets used: `candidates(x)`, from which variables are drawn; `grid`, or
        `words(x)`, for pictures; `is_one(x)`, which says that several samples or labels may be asked for in one call;
        `rounding`, the relative precision of v: without, 2^-23, that of float32; a function in float64 may say 2^-52;
        `unit`, that of v: without, log-odds.
    x : sample, or list of samples
        As the game takes them; of images also an array (sample, channel, height, width).
    label : label, or list of labels
        One a sample. Several labels of one sample are evaluated in one pass, and stand as samples side by side.
    variables : int, or n variables, or (sample, n)
        How many to draw among the candidates of each sample, or which: variable i is the i-th.
    seed : int
        Variables are drawn with it.
    noise_bound, ridge : float
        As in `sparse_and_or`.
    tau_ratio : float
        Interactions are salient above this share of the strongest of their sample; from 0 to below 1.

    Raises
    ------
    InputError
        For fewer than 2 variables or more than there are, labels or settings out of range, NaN or infinite outputs, and an
        object without `values`, such as a network alone.

    Examples
    --------
    >>> class Door:
    ...     def values(self, x, label, variables):
    ...         return np.array([0.0, 2.0, 2.0, 2.0])
    >>> e = explain(Door(), None, "opens", variables=["key", "code"], noise_bound=0)
    >>> e.to_frame(1).round(3)
      kind   variables  order  effect
    0   or  key ∨ code      2     2.0
    """
    check_game(game)
    check_tau_ratio(tau_ratio)
    sparse_and_or(np.zeros(2), noise_bound, ridge)  # says what is out of range before the network runs
    one, samples, labels = samples_of(game, x, label)
    variables = variables_of(game, samples, variables, seed, one)
    v, rounding = values_of(game, samples, labels, variables, one)
    solved = sparse_and_or(v, noise_bound, ridge, rounding=rounding)
    data = {
        "v": (("sample", "subset"), v),
        "effects": (("sample", "kind", "subset"), solved.effects),
        "noise": (("sample", "subset"), solved.noise),
        **{name: ("sample", getattr(solved, name)) for name in ("bias", "bound", "gap")},
        "label": ("sample", as_array(labels)),
        "variables": (("sample", "variable"), np.stack([as_array(row) for row in variables])),
    }
    attributes = {"format": FORMAT, "tau_ratio": tau_ratio, "noise_bound": noise_bound, "ridge": ridge, "folded": 0}
    attributes |= {"unit": str(getattr(game, "unit", LOG_ODDS)), "rounding": rounding}
    attributes |= {"one_input": 1} if one and len(labels) > 1 else {}
    attributes |= {"grid": game.grid} if hasattr(game, "grid") else {}
    return Explanation(xr.Dataset(data | pictured(game, samples, variables), {"kind": list(KINDS)}, attributes))


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The interactions of a network on one sample, or on each of several; `explain` makes it.

    Print it for a summary. `e[0, 3]` gives the effects of the AND and of the OR interaction of variables 0 and 3, by their
    positions in `e.variables`, from 0, or by their names; `e["and", (0, 3)]` that of the AND. Arrays of the data are
    attributes, too: `e.v`, `e.effects`, `e.noise`, `e.bias`, `e.bound`, `e.gap`, `e.label`, `e.names`.

    Parameters
    ----------
    data : xarray.Dataset
        v (sample, subset), effects (sample, kind, subset), noise (sample, subset), bias, bound, gap (sample,) as
        `sparse_and_or` gives them, in the game's unit. label (sample,); variables and their names (sample, variable). For
        pictures: image (sample, channel, height, width) and the attribute grid, or words (sample, word).

    Examples
    --------
    >>> class Both:
    ...     def values(self, x, label, variables):
    ...         return np.array([0.0, 0.0, 0.0, 3.0])
    >>> e = explain(Both(), None, 0, variables=["ice", "skate"], noise_bound=0)
    >>> round(e["and", ("ice", "skate")], 3)
    3.0
    """

    data: xr.Dataset

    def __getattr__(self, name) -> np.ndarray:
        if name not in ARRAYS:
            raise AttributeError(f"an explanation has no {name!r}; its arrays are {', '.join(ARRAYS)}")
        return self.data[name].to_numpy()

    def __dir__(self):
        return [*super().__dir__(), *ARRAYS]

    @property
    def variables(self) -> np.ndarray:
        """The variables as the game takes them, (n,) if all samples have the same, else (sample, n)."""
        variables = self.data.variables["variables"].to_numpy()
        return variables[0] if (variables == variables[0]).all() else variables

    @property
    def _unit(self):
        return self.data.attrs.get("unit", LOG_ODDS)

    @cached_property
    def salient(self) -> Bool[np.ndarray, "sample kind subset"]:
        """Which interactions are salient."""
        return salient(self.data.effects.to_numpy(), self.data.tau_ratio)

    @property
    def R2(self) -> Float[np.ndarray, "sample"]:
        """Share of the variance of the 2^n outputs that the salient interactions explain, without the noise (Eq. 14-15).

        NaN of a sample without any: its output does not depend on the variables.
        """
        v, effects, bias = (self.data[name].to_numpy() for name in ("v", "effects", "bias"))
        return np.where(self.salient.any(axis=(1, 2)), fidelity(v, effects * self.salient, bias), np.nan)

    def __str__(self):
        data, n = self.data, self.data.sizes["variable"]
        shown = data.effects.to_numpy().any(axis=(1, 2))  # the others' outputs differ by rounding, if at all
        noise = np.abs(data.noise).max("subset").to_numpy() / np.maximum(data.bound.to_numpy(), 1e-300)
        labels = [str(label) for label in data.label.to_numpy()]
        lines = [
            f"{len(labels)} sample(s), label {', '.join(labels[:6])}{', ..' * (len(labels) > 6)}: n = {n} variables, "
            f"{2**n} masked inputs",
            f"v: {_spread(data.v[:, -1])} with all variables, {_spread(data.v[:, 0])} with none ({self._unit})",
        ]
        if _spread(data.v[:, -1]) == _spread(data.v[:, 0]) and (data.v[:, -1] != data.v[:, 0]).any():
            lines[1] += f", which differ by {_spread(data.v[:, -1] - data.v[:, 0])}"
        if not shown.all():
            where = f" in {(~shown).sum()} of {len(shown)} samples" if shown.any() else ""
            lines.append(f"the output does not depend on these variables beyond rounding and the noise bound{where}")
            if data.attrs.get("rounding", 0) > 2 * ROUNDING:
                lines[-1] += (
                    f"; v is rounded to {data.rounding:.0e} of its size, which may hide some: is it in half precision?"
                )
            elif "rounding" in data.attrs:
                lines[-1] += f" (v counts as known to {data.rounding:.0e} of its size, by game.rounding or float32)"
        if shown.any():
            counts = self.salient.sum(axis=(1, 2))[shown]
            lines += [
                f"salient: {_spread(counts, '.4g')} of {dictionary_size(n)} interactions; they alone explain "
                f"R2 = {_spread(self.R2[shown], '.3f')} of the outputs' variance",
                f"noise: at most {noise.max():.0%} of its bound; duality gap at most {data.gap.max().item():.1e}",
            ]
            lines += self._sums()
        return "\n".join(lines)

    __repr__ = __str__

    def _sums(self):
        """How much of the salient strength at order 2 is no cooperation, in words; nothing where next to none is."""
        of_two = orders(self.data.sizes["variable"]) == 2
        kept = self.data.assign(effects=self.data.effects * self.salient)
        before, after = (np.abs(data.effects.to_numpy()[..., of_two]).sum() for data in (kept, folded(kept)))
        if after >= 0.995 * before:
            return []
        return [f"order 2: {1 - after / before:.0%} of its strength only adds up (a + b): e.folded()"]

    def __iter__(self):
        """The explanation of each sample; it has no length, or numpy would take it for a list."""
        return map(self.sample, range(self.data.sizes["sample"]))

    __reversed__ = None

    def __getitem__(self, key):
        """Effects by variables, or by kind and variables; of several samples, a row each."""
        kind, inside = self._kind_and_variables(key)
        effects = self.data.effects.sel(kind=kind)[..., subset_index(self._numbers(inside))]
        effects = effects[0] if len(self.data.label) == 1 else effects
        return effects.to_pandas() if effects.ndim else effects.item()

    def _kind_and_variables(self, key):
        if not (isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str) and key[0] in KINDS):
            return list(KINDS), key
        if key[0] in self.data["names"] and isinstance(key[1], str):
            raise InputError(
                f"e{list(key)} can mean two things, since a variable is called {key[0]!r}; "
                f"expected e[{key[0]!r}, ({key[1]!r},)] for the {key[0].upper()}, or numbers"
            )
        return key

    def sample(self, i: int) -> "Explanation":
        """That of one of the samples."""
        n = len(self.data.label)
        data = self.data.isel(sample=[whole_number(i, "sample", f"0 to {n - 1}", -n, n - 1)])
        if "words" in data:  # no more than it has: a longer text of the batch has more; within, some are spaces alone
            data = data.isel(word=slice(1 + np.flatnonzero(data.words.to_numpy()[0] != "").max(initial=-1)))
        return Explanation(data)

    def folded(self) -> "Explanation":
        """The same outputs with sums of two variables as two effects of order 1 (`fold_sums`)."""
        return Explanation(folded(self.data))

    def to_frame(self, k: int | None = None) -> pd.DataFrame:
        """The k strongest interactions of each sample, or the salient ones: kind, variables, order, effect.

        `variables` are joined by ∧ (AND) or ∨ (OR). Of several samples there is a column sample in front.
        """
        counts = self.salient.sum(axis=(1, 2)) if k is None else np.full(len(self.data.label), checked_k(k))
        each = zip(self.data.effects.to_numpy(), counts.tolist(), self.data.names.to_numpy())
        return self._stacked([strongest_table(*one) for one in each])

    def fidelity(self) -> pd.DataFrame:
        """k and R2, the share of variance of the 2^n outputs that the k strongest interactions explain (Eq. 14-15)."""
        each = (self.data[name].to_numpy() for name in ("v", "effects", "bias"))
        curves = [fidelity_curve(v, effects, float(bias)) for v, effects, bias in zip(*each)]
        return self._stacked([pd.DataFrame({"k": np.arange(1, len(R2) + 1), "R2": R2}) for R2 in curves])

    def plot(self, kind: str | None = None, k: int = 12, title: str | None = None):
        """A picture of one sample (a matplotlib Figure), with the k strongest interactions.

        kind: bars; cells (of an image) or words, with the strongest interactions beside, the default where there are such;
        network; fidelity (of all samples); masks.
        """
        from symgen import plots  # a second of every start

        checked_k(k)
        kind = kind or ("cells" if "image" in self.data else "words" if "words" in self.data else "bars")
        if kind not in PICTURES:
            raise InputError(f"plot of kind {kind!r}{did_you_mean(kind, PICTURES)}; there are: {', '.join(PICTURES)}")
        if kind in NEEDED and NEEDED[kind] not in self.data:
            raise InputError(
                f"plot of kind {kind!r}, but the game gave no {NEEDED[kind]}; expected another kind, as bars"
            )
        if title is None:
            title = f"label {self._only('label')}" if kind != "fidelity" else ""
        with plots.in_style():
            return plots.apart(getattr(self, f"_plot_{kind}")(plots, k, title))

    def save(self, path) -> None:
        """Write it to a netCDF file, whole or not at all; `load` reads it.

        Labels must all be numbers, or all strings, and so must variables.
        """
        for name in ("label", "variables"):
            given = self.data.variables[name].to_numpy()
            if given.dtype == object and not all(isinstance(one, str) for one in given.flat):
                wanted = "all numbers of 64 bits at most, or all strings"
                raise InputError(f"{name} {given.tolist()[:3]}; expected {wanted}, in a file")
        write_whole(Path(path).expanduser(), as_netcdf(self.data))

    def to_shapiq(self):
        """One sample's model as `shapiq.InteractionValues`: index Moebius, in which an OR is a signed sum of ANDs."""
        try:
            import shapiq
        except ImportError:
            raise InputError(
                "to_shapiq needs the package shapiq; expected it to be installed (pip install shapiq)"
            ) from None
        effects, bias = self._only("effects"), float(self._only("bias"))
        moebius = and_interactions(logical_model(effects, bias))
        values, n = {members(i): float(value) for i, value in enumerate(moebius)}, self.data.sizes["variable"]
        return shapiq.InteractionValues(
            values, index="Moebius", n_players=n, min_order=0, max_order=n, estimated=False, baseline_value=bias
        )

    def compare(
        self, others, combine="any", chance_draws: int = 5, seed: int = 0, *, tau_ratio: float | None = None, of=None
    ) -> Comparison:
        """Which of these interactions other networks have too, on the same samples (Eq. 5, 8).

        others: explanations by the baseline networks. combine: whether any, the majority or all of them must have it.
        Chance asks the baselines about other samples: NaN where there is one. tau_ratio: what is salient, in place of what
        the explanations say. of: training or testing, of each sample.
        """
        if isinstance(combine, Explanation):
            raise InputError(
                "two explanations to compare with; expected one, or a list of them: e.compare([first, second])"
            )
        several = isinstance(others, Iterable) and not isinstance(others, Explanation | xr.Dataset | Mapping)
        others = list(others) if several else [others]
        if wrong := sorted({type(other).__name__ for other in others if not isinstance(other, Explanation)}):
            raise InputError(f"others: {', '.join(wrong)}; expected an explanation, or a list of them")
        return compare(self, others, combine=combine, chance_draws=chance_draws, seed=seed, tau_ratio=tau_ratio, of=of)

    # one sample
    def _only(self, name):
        """An array of the only sample; InputError if there are several."""
        if len(self.data.label) > 1:
            raise InputError(f"this explains {len(self.data.label)} samples; expected one: choose it by e.sample(i)")
        return self.data.variables[name].to_numpy()[0]

    def _numbers(self, inside):
        """Numbers of variables, given by these or by their names, which all samples must share."""
        inside = inside if isinstance(inside, tuple | list | np.ndarray) else (inside,)
        names, n = self.data.names.to_numpy(), self.data.sizes["variable"]
        known = {name: i for i, name in enumerate(names[0].tolist())} if (names == names[0]).all() else {}
        numbers = [known.get(one, -1) if isinstance(one, str) else one for one in inside]
        if not numbers or not all(isinstance(number, int | np.integer) and 0 <= number < n for number in numbers):
            named = (
                f"names: {', '.join(known)}" if known else "names of one sample, e.sample(i): the samples' names differ"
            )
            raise InputError(f"variables {inside!r}; expected numbers from 0 to {n - 1}, or {named}")
        return numbers

    def _stacked(self, tables):
        if len(tables) == 1:
            return tables[0]
        table = pd.concat([table.assign(sample=i) for i, table in enumerate(tables)], ignore_index=True)
        return table[["sample", *tables[0].columns]]

    # pictures
    def _shares(self):
        return pd.DataFrame({"variable": self._only("variables"), "share": shares(self._only("effects"))})

    def _text(self):
        """Pieces of the only sample's text, its variables' names without any, and the variable of each, -1 for none."""
        if "words" not in self.data:
            words = [(word, i) for i, name in enumerate(self._only("names").tolist()) for word in name.split()]
            return [f"{word} " for word, _ in words], np.array([i for _, i in words])
        words = self._only("words").tolist()
        while not words[-1]:  # of the batch's longest text, whose words are more; others may be spaces alone
            words.pop()
        return pieces_of(words, self._only("variables"))

    def _picture(self):
        """The image of the only sample, its values from 0 to 1, (height, width) or (height, width, 3)."""
        image = np.moveaxis(self._only("image"), 0, -1)
        image = image if image.shape[-1] == 3 else image.mean(axis=-1)
        return (image - image.min()) / max(np.ptp(image), 1e-12)

    def _drawn(self, k):
        """The k strongest interactions, or as many as are no rounding."""
        table = strongest_table(self._only("effects"), k, self._only("names"))
        return table[table.effect.abs() > DUST * table.effect.abs().max()]

    def _plot_bars(self, plots, k, title):
        return plots.bars(self._drawn(k), title, self._unit)

    def _plot_cells(self, plots, k, title):
        return plots.cells(self._drawn(k), self._shares(), self._picture(), int(self.data.grid), title, self._unit)

    def _plot_words(self, plots, k, title):
        return plots.words(self._drawn(k), self._shares(), *self._text(), title, self._unit)

    def _plot_network(self, plots, k, title):
        effects, table = self._only("effects"), self._drawn(k)
        inside = [members(int(i) % effects.shape[1]) for i in _strongest(effects, len(table))]
        return plots.network(table, inside, self._only("names").tolist(), title)

    def _plot_fidelity(self, plots, k, title):
        table = self.fidelity()
        return plots.fidelity(table.assign(sample=table.get("sample", 0)), self.salient.sum(axis=(1, 2)).mean(), title)

    def _plot_masks(self, plots, k, title):
        v, model = self._only("v"), logical_model(self._only("effects"), float(self._only("bias")))
        by_value = np.argsort(v, kind="stable")
        chosen = {0, len(v) - 1, *by_value[np.linspace(0, len(v) - 1, 6).astype(int)].tolist()}
        chosen = np.array([subset for subset in by_value if subset in chosen])
        table = pd.DataFrame({"subset": chosen, "v": v[chosen], "model": model[chosen]})
        if "image" in self.data:
            return plots.masked_pictures(table, self._picture(), self._only("variables"), int(self.data.grid), title)
        return plots.masked_words(table, *self._text(), title)


def load(path) -> Explanation:
    """An explanation from the file that `Explanation.save` wrote.

    Parameters
    ----------
    path : str or path
        Of the file; `~` is the home folder.

    Raises
    ------
    InputError
        For a file that is not there or holds no explanation, and for one written by a later version.

    Examples
    --------
    >>> load("README.md")
    Traceback (most recent call last):
    symgen.errors.InputError: README.md: expected a file that Explanation.save wrote
    """
    if not (path := Path(path).expanduser()).is_file():
        raise InputError(f"{path}: expected a file that Explanation.save wrote; no file is there")
    try:
        data = read_dataset(path)
    except (OSError, ValueError, RuntimeError):
        data = xr.Dataset()
    if not isinstance(data.attrs.get("format"), int | np.integer) or not {*data.variables} >= SAVED:
        raise InputError(f"{path}: expected a file that Explanation.save wrote")
    if data.format > FORMAT:
        raise InputError(f"{path} has format {data.format}; this version of symgen reads up to {FORMAT}")
    v = data.v.to_numpy()
    rest = v - data.noise.to_numpy() - logical_model(data.effects.to_numpy(), data.bias.to_numpy())
    if not np.abs(rest).max() <= 1e-6 * max(1, np.abs(v).max()):
        raise InputError(
            f"{path} is damaged: its interactions and noise do not sum to v; expected it as it was written"
        )
    return Explanation(data)


# words about numbers
def _spread(values, form=".3g"):
    """A number, or the mean of several with the least and the largest."""
    values = np.asarray(values, float)
    mean, *ends = (f"{value:{form}}" for value in (values.mean(), values.min(), values.max()))
    return mean if len(values) == 1 else f"{mean} ({ends[0]} to {ends[1]})"


# tables
def strongest_table(effects: Float[np.ndarray, "kind subset"], k: int, names) -> pd.DataFrame:
    """The k strongest interactions of one sample, strongest first: kind, variables (joined by ∧ or ∨), order, effect."""
    rows = []
    for position in _strongest(effects, k):
        kind, subset = divmod(int(position), effects.shape[1])
        joined = joined_names(KINDS[kind], subset, names)
        rows.append((KINDS[kind], joined, len(members(subset)), effects[kind, subset]))
    table = pd.DataFrame(rows, columns=["kind", "variables", "order", "effect"])
    return table.astype({"order": int, "effect": float})  # also of no rows


def phrase_table(effects: Float[np.ndarray, "kind subset"], k: int, phrases: list[str]) -> pd.DataFrame:
    """`strongest_table` of variables that are phrases: interaction (phrases joined by ∧ or ∨), kind, order, effect."""
    table = strongest_table(effects, k, phrases).rename(columns={"variables": "interaction"})
    return table[["interaction", "kind", "order", "effect"]]


def _strongest(effects, k):
    """Positions of the k strongest effects of one sample, both kinds in one row."""
    of_order = orders(n_variables(effects.shape[1]))
    possible = np.stack([of_order >= 1, of_order >= 2]).ravel()  # an OR of one variable is its AND
    strongest = np.argsort(-np.abs(effects), axis=None, kind="stable")
    return strongest[possible[strongest]][:k]


def matching_table(
    v: Float[np.ndarray, "subset"], effects: Float[np.ndarray, "kind subset"], bias, ks, panel=""
) -> pd.DataFrame:
    """All 2^n outputs of one sample, sorted, and the model's with its k strongest interactions, for each k (Fig. 7)."""
    order = np.argsort(v, kind="stable")
    tables = [
        pd.DataFrame(
            {"panel": panel, "k": k, "rank": np.arange(len(v)), "v": v[order],
             "model": logical_model(keep_strongest(effects, k), bias)[order]}
        )
        for k in ks
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)
