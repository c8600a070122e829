"""A network's interactions compared with other networks' on the same samples: which of them generalize."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from symgen.errors import InputError, whole_number
from symgen.games import LOG_ODDS
from symgen.generalization import metrics
from symgen.generalization.bootstrap import Bootstrap, Power, power
from symgen.generalization.metrics import order_sums, strength_by_order
from symgen.interactions import KINDS, fold_sums, joined_names, n_variables, orders

INTERVAL = "[95 % interval over samples]: where it holds 0, H may be luck"
FEWEST_SAMPLES = 10  # with fewer, resampling gives no interval that can be relied on
SAMPLES = ("all", "training", "testing")  # which are meant
AXES = ("epoch", "sample", "kind", "subset")
ARRAYS = ("of", "v", "effects", "salient", "generalizable", "chance", "normalized", "graded", "graded_chance")
IDENTITY = ("sample", "label", "variables", "names", "image", "words")  # explanations of the same samples share these
SETTINGS = ("grid", "noise_bound", "ridge", "tau_ratio", "folded")  # and these, where they say so


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Interactions of a network at its checkpoints, and which of them baselines have on the same samples.

    Attributes give the arrays of `data`, such as `c.effects`, with the axes (epoch, sample, kind, subset)
    but for v and `of`.

    Parameters
    ----------
    data : Dataset
        v (epoch, sample, subset), in log-odds. effects, in log-odds; salient; generalizable (Eq. 5);
        chance: in what share of the derangements it would count as generalizable, the baselines being asked about other
        samples (NaN where there is one sample, and so no other). normalized: effects over `E|v(N) - v(0)|` (Appendix M);
        graded: Eq. 19-20 in place of yes or no; graded_chance: its mean over the derangements. Coordinates: epoch, and `of`
        (sample,): training or testing.

    Examples
    --------
    >>> from symgen.generalization import compare
    >>> effects = np.array([[0.0, 3.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])  # AND and OR, of {}, {0}, {1}, {0, 1}
    >>> v = reconstruct(*effects, bias=0.0)
    >>> c = compare((v, effects), [(v, effects * [1, 2, -1, 1])])  # by a network that has one, and the other reversed
    >>> c.generalizable[0, 0, 0]
    array([False,  True, False, False])
    >>> c.H
    0.75
    """

    data: xr.Dataset

    def __getattr__(self, name) -> np.ndarray:
        if name not in ARRAYS:
            raise AttributeError(f"a comparison has no {name!r}; its arrays are {', '.join(ARRAYS)}")
        return self.data[name].to_numpy()

    @property
    def epochs(self) -> Float[np.ndarray, "epoch"]:
        """Of the checkpoints."""
        return self.data.epoch.to_numpy()

    def __str__(self):
        sizes, n = self.data.sizes, n_variables(self.data.sizes["subset"])
        followed = sizes["epoch"] > 1  # a network that is not has no epochs
        checkpoints = f" at {sizes['epoch']} checkpoints" if followed else ""
        lines = [f"Comparison of {sizes['sample']} sample(s){checkpoints}, n = {n} variables"]
        salient, shared = (mask.sum(axis=(-2, -1)).mean(axis=-1) for mask in (self.salient, self.generalizable))
        h, chance, excess = self.power(Bootstrap())
        bounds, legend = np.transpose(excess.interval()), self._legend()
        for t in sorted({0, int(np.nan_to_num(h.value, nan=-1).argmax()), len(bounds) - 1}):  # first, highest and last
            when = f"epoch {self.epochs[t]:g}: " if followed else ""
            lines += [
                f"{when}{salient[t]:.1f} interactions a sample are salient, {shared[t]:.1f} of them generalize",
                f"H = {_known(h.value[t])}, by chance {_known(chance.value[t])}",
            ]
            if legend == INTERVAL and not np.isnan(bounds[t]).any():
                low, high = bounds[t]
                lines[-1] += f", above chance {excess.value[t]:z.2f} [{low:z.2f}, {high:z.2f}]"
        return "\n".join([*lines, legend])

    __repr__ = __str__

    def _legend(self):
        """What the interval is of, or why there is none."""
        if self.data.attrs.get("one_input"):
            return "labels of one input: no sample of inputs, so no interval"
        if self.data.sizes["sample"] < FEWEST_SAMPLES:
            return f"fewer than {FEWEST_SAMPLES} samples: too few for an interval"
        return INTERVAL

    def position(self, epoch: float) -> int:
        """Number of the checkpoint at an epoch; InputError if there is none."""
        places = np.flatnonzero(self.epochs == epoch)
        if not len(places):
            raise InputError(f"epoch = {epoch}; expected one of {', '.join(f'{e:g}' for e in self.epochs)}")
        return int(places[0])

    def chosen(self, samples: str) -> Bool[np.ndarray, "sample"]:
        """Which samples are meant by all, training, testing."""
        if samples not in SAMPLES:
            raise InputError(f"samples = {samples!r}; expected all, training or testing")
        return np.full(len(self.of), True) if samples == "all" else self.of == samples

    @cached_property
    def by_sign(self) -> tuple[Float[np.ndarray, "epoch sample sign order"], ...]:
        """Strengths that generalize, of all that is salient, and that generalize by chance, by sign and order (Eq. 6-7)."""
        return tuple(strength_by_order(self.effects, part) for part in (self.generalizable, self.salient, self.chance))

    def strengths(self, samples: str = "all", of_orders=None) -> tuple[Float[np.ndarray, "epoch sample"], ...]:
        """Strength of each sample that generalizes, of all that is salient, and that generalizes by chance."""
        return tuple(order_sums(part[:, self.chosen(samples)], of_orders) for part in self.by_sign)

    def power(self, bootstrap: Bootstrap, samples: str = "all", of_orders=None) -> Power:
        """H (epoch,) with its chance level and what it is above it, of all orders or some (Eq. 8; H_low, H_high)."""
        return power(*(strength.T for strength in self.strengths(samples, of_orders)), bootstrap)

    @property
    def H(self) -> Float[np.ndarray, "epoch"] | float:
        """Share of salient strength that generalizes (Eq. 8), at each checkpoint or the only one; NaN without any."""
        return _one(metrics.generalization_ratio(*self.by_sign[:2]))

    @property
    def H_chance(self) -> Float[np.ndarray, "epoch"] | float:
        """H by chance; NaN for one sample, since there is no other about which to ask the baselines."""
        return _one(metrics.generalization_ratio(self.by_sign[2], self.by_sign[1]))

    @property
    def newly_learned(self) -> tuple[Float[np.ndarray, "epoch sample"], Float[np.ndarray, "epoch sample"]]:
        """Strength newly learned, of generalizable and of the other salient interactions (Appendix I)."""
        gained, other = metrics.newly_learned(self.effects), self.salient & ~self.generalizable
        return tuple(np.einsum("...ks,...ks->...", gained, mask) for mask in (self.generalizable, other))

    def by_order(self, epoch: float | None = None) -> pd.DataFrame:
        """Strength by order (Fig. 2), at an epoch or all, mean over samples in log-odds.

        Columns epoch, order, sign, total, generalizable, and chance: what generalizes by chance.
        """
        tables = []
        for t in range(len(self.epochs)) if epoch is None else [self.position(epoch)]:
            generalizable, total, chance = (part[t].mean(axis=0) for part in self.by_sign)
            strengths = {"total": total, "generalizable": generalizable, "chance": chance}
            tables.append(order_rows({"epoch": self.epochs[t]}, **strengths))
        return pd.concat(tables, ignore_index=True)

    def plot(self, epoch: float | None = None):
        """Strength by order, and what of it generalizes, at an epoch or the last (Fig. 2); a matplotlib Figure."""
        from symgen import plots  # a second of every start

        with plots.in_style():
            table = self.by_order(self.epochs[-1] if epoch is None else epoch)
            unit = self.data.attrs.get("unit", LOG_ODDS)
            return plots.apart(
                plots.order_strength(table.assign(panel=""), unit=unit, networks=1, samples=len(self.of))
            )

    def to_frame(self, k: int | None = None) -> pd.DataFrame:
        """The salient interactions, or at most the k strongest of them, of each sample and epoch, strongest first.

        Columns sample, epoch, kind (and, or), variables (names or numbers, joined by ∧ or ∨), order, effect (log-odds),
        generalizable, graded.
        """
        place = np.nonzero(self.salient)
        strongest_first = np.lexsort((-np.abs(self.effects[place]), place[1], place[0]))  # of each sample and epoch
        epoch, sample, kind, subset = place = tuple(axis[strongest_first] for axis in place)
        n = n_variables(self.data.sizes["subset"])
        names = self.data.names.to_numpy() if "names" in self.data.variables else np.arange(n)
        names = np.broadcast_to(names, (len(self.of), n))
        kinds = np.array(KINDS)[kind]
        interactions = zip(kinds.tolist(), subset.tolist(), names[sample])
        table = pd.DataFrame(
            {"sample": sample, "epoch": self.epochs[epoch], "kind": kinds,
             "variables": [joined_names(*interaction) for interaction in interactions],
             "order": orders(n)[subset], "effect": self.effects[place],
             "generalizable": self.generalizable[place], "graded": self.graded[place]}
        )  # fmt: skip
        few = table if k is None else table.groupby(["epoch", "sample"], sort=False).head(metrics.checked_k(k))
        return few.reset_index(drop=True)


Comparisons = dict[str, Comparison]  # of several networks, by role
# the same networks as seen by some judges, and by as many who serve as a control
Control = tuple[Comparisons, Comparisons]


def order_rows(first: dict, **strengths: Float[np.ndarray, "sign order"]) -> pd.DataFrame:
    """Rows of strengths, a column each, after `first`, order and sign."""
    n = next(iter(strengths.values())).shape[-1] - 1
    places = {"order": np.tile(np.arange(1, n + 1), 2), "sign": np.repeat(["+", "-"], n)}
    return pd.DataFrame(first | places | {name: strength[:, 1:].ravel() for name, strength in strengths.items()})


def compare(
    target,
    baselines: Iterable,
    *,
    tau_ratio: float | None = None,
    strongest: int | None = None,
    tau: float | None = None,
    combine: str = "any",
    chance_draws: int = 5,
    seed: int = 0,
    epochs=None,
    of=None,
) -> Comparison:
    """Which interactions of a target network baseline networks have too, on the same samples.

    Parameters
    ----------
    target : Explanation, xarray.Dataset with v and effects, or a pair of these two arrays
        v ([epoch, ][sample, ]subset) and effects ([epoch, ][sample, ]kind, subset), in log-odds. Of explanations at several
        checkpoints: `xarray.concat([e.data for e in explanations], pandas.Index(epochs, name="epoch"))`.
    baselines : iterable of the same
        Of each baseline on the same samples, without an axis epoch.
    tau_ratio, strongest, tau
        What is salient, as in `salient`: tau is of effects that are divided by each network's mean distance of v(N) from
        v(0). Without a tau_ratio it is that of the target's explanation, 0.05 where it says none.
    combine : str
        Whether any, the majority or all of the baselines must have an interaction.
    chance_draws, seed : int
        Derangements of the samples behind the chance level, and what they are drawn from.
    epochs, of : sequence, optional
        Of the checkpoints (0, 1, ... without), and of the samples: training or testing.

    Raises
    ------
    InputError
        For no baseline at all, for one that explains other samples or has other variables, and for axes of other names or
        lengths.
    """
    chance_draws = whole_number(chance_draws, "chance_draws", "a whole number, 1 or more", least=1)
    seed = whole_number(seed, "seed", "a whole number, 0 or more", least=0)
    target, baselines = _dataset(target), [_dataset(base) for base in baselines]
    as_explained = tau_ratio is None and strongest is None and tau is None
    settings = [name for name in SETTINGS if as_explained or name != "tau_ratio"]
    _check_same_samples(target, baselines, settings)
    base_v, base_effects = (np.concatenate([base[name] for base in baselines]) for name in ("v", "effects"))
    v, effects, n_samples = target.v.to_numpy(), target.effects.to_numpy(), target.sizes["sample"]
    tau_ratio = target.attrs.get("tau_ratio", 0.05) if tau_ratio is None else tau_ratio
    epochs = np.asarray(target["epoch"] if epochs is None else epochs, float)
    of = np.repeat("unknown", n_samples) if of is None else np.asarray(of)
    for name, given, axis in (("epochs", epochs, "epoch"), ("of", of, "sample")):
        if given.shape != (target.sizes[axis],):
            raise InputError(f"{name} has shape {given.shape}; expected ({target.sizes[axis]},), one for each {axis}")
    if unknown := sorted(set(of.tolist()) - {"training", "testing", "unknown"}, key=str):
        raise InputError(f"of: {unknown[0]!r}; expected training, testing or unknown, of each sample")
    salience = {"tau_ratio": tau_ratio, "strongest": strongest, "tau": tau}
    arrays = _compared(v, effects, base_v, base_effects, salience, combine, chance_draws, seed)
    data = target.assign({name: (AXES, array) for name, array in arrays.items()}).assign_attrs(tau_ratio=tau_ratio)
    return Comparison(data.assign_coords(epoch=epochs, of=("sample", of), kind=list(KINDS)))


def _compared(v, effects, base_v, base_effects, salience, combine, chance_draws, seed):
    """The arrays of a comparison, from effects (epoch or baseline, sample, kind, subset) and v (.., sample, subset)."""
    normalized, base_normalized = metrics.normalized(effects, v), metrics.normalized(base_effects, base_v)
    weighed = (effects, base_effects) if salience["tau"] is None else (normalized, base_normalized)
    salient, base_salient = (metrics.salient(strengths, **salience) for strengths in weighed)
    _, sample, kind, subset = np.nonzero(salient)  # a few in a hundred: nothing else is judged
    kept, kept_normalized, counting = effects[salient], normalized[salient], base_effects * base_salient

    def asked(permutation):
        """Whether each salient interaction generalizes, and how far, if baselines see sample permutation[i] for i."""
        bases, bases_normalized = (array[:, permutation[sample], kind, subset] for array in (counting, base_normalized))
        return metrics.agreed(kept, bases, combine), metrics.similarity(kept_normalized, bases_normalized, combine)

    def placed(values, dtype=float):
        result = np.zeros(salient.shape, dtype)
        result[salient] = values
        return result

    n, chance, graded_chance = effects.shape[1], np.nan, np.nan
    shared, graded = asked(np.arange(n))
    if n > 1:
        others = metrics.derangements(n, chance_draws, np.random.default_rng(seed))
        chance, graded_chance = (np.mean(part, axis=0) for part in zip(*map(asked, others)))
    return {
        "salient": salient, "generalizable": placed(shared, bool), "normalized": normalized,
        "chance": placed(chance), "graded": placed(graded), "graded_chance": placed(graded_chance),
    }  # fmt: skip


def _dataset(explained):
    """v and effects by name, with the axes epoch and sample."""
    data = getattr(explained, "data", None)
    explained = data if isinstance(data, xr.Dataset) else explained  # of an explanation
    if not isinstance(explained, xr.Dataset):
        if not isinstance(explained, tuple | list) or len(explained) != 2:
            kind = type(explained).__name__
            raise InputError(f"a network is given as a {kind}; expected an explanation's data, or a pair (v, effects)")
        v, effects = map(np.asarray, explained)
        if v.ndim not in (1, 2, 3) or effects.shape != (*v.shape[:-1], 2, v.shape[-1]):
            shapes = f"v has shape {v.shape} and effects {effects.shape}"
            raise InputError(
                f"{shapes}; expected (.., subset) and (.., 2, subset), with at most epoch and sample before"
            )
        axes = AXES[:2][3 - v.ndim :]
        explained = xr.Dataset({"v": ((*axes, "subset"), v), "effects": ((*axes, "kind", "subset"), effects)})
    if missing := {"v", "effects"} - set(explained.data_vars):
        raise InputError(f"a network's dataset has no {min(missing)}; expected v and effects, as an explanation's data")
    for name in [name for name in IDENTITY if name in explained and "epoch" in explained[name].dims]:
        first = explained[name].isel(epoch=0, drop=True)  # explanations one after the other, as xarray.concat puts them
        if not (explained[name] == first).all():
            raise InputError(f"{name} differs between checkpoints; expected the same samples and variables at each")
        explained = explained.assign({name: first})
    explained = explained.set_coords([name for name in IDENTITY if name in explained])
    explained = explained.drop_vars(set(explained.data_vars) - {"v", "effects"})
    if others := sorted(set(explained.v.dims) - set(AXES)):
        raise InputError(
            f"v has the axes {others}; expected epoch and sample, as of pandas.Index(epochs, name='epoch')"
        )
    explained = explained.expand_dims([axis for axis in ("sample", "epoch") if axis not in explained.dims])
    return explained.transpose(*AXES, ...)


def _check_same_samples(target, baselines, settings):
    """InputError unless every baseline has the target's samples, variables and settings, at one checkpoint."""
    if not baselines:
        raise InputError("baselines is empty; expected at least one network to compare with")
    for number, base in enumerate(baselines):
        for axis, expected in (dict(target.sizes) | {"epoch": 1}).items():
            if (size := base.sizes.get(axis, expected)) != expected:
                raise InputError(f"baseline {number} has {size} on the axis {axis}; expected {expected}, as the target")
        for name in (name for name in IDENTITY if name in target.variables and name in base.variables):
            if not target[name].variable.equals(base[name].variable):
                remedy = (
                    "explain it with variables=e.variables of the target"
                    if name == "variables"
                    else f"expected the same samples, prepared alike; else leave it out, by data.drop_vars({name!r})"
                )
                raise InputError(
                    f"baseline {number} explains others than the target: `{name}` is not the same; {remedy}"
                )
        for name in (name for name in settings if name in base.attrs and name in target.attrs):
            if base.attrs[name] != target.attrs[name]:
                settings = f"{name} = {base.attrs[name]:g}; expected {target.attrs[name]:g}, as the target"
                remedy = ": call folded() on both, or on neither" if name == "folded" else ""
                raise InputError(f"baseline {number} was explained with {settings}{remedy}")


def folded(data: xr.Dataset) -> xr.Dataset:
    """Interactions with sums of two variables as two effects of order 1: effects (.., kind, subset), by `fold_sums`."""
    both = fold_sums(*np.moveaxis(data.effects.to_numpy(), -2, 0))
    return data.assign(effects=data.effects.copy(data=np.stack(both, axis=-2))).assign_attrs(folded=1)


def unmerged(data: xr.Dataset) -> xr.Dataset:
    """Interactions with each effect of order 1 half as an AND and half as an OR, which are one function.

    About what a solver gives that does not merge the two: of all ways to divide an effect, its ridge takes equal halves.
    """
    single = orders(n_variables(data.sizes["subset"])) == 1
    halves = data.effects.sum("kind") * single / 2
    return data.assign(effects=(data.effects * ~single + halves).transpose(*data.effects.dims))


def _one(values):
    """The value of a single checkpoint, else of each."""
    return float(values[0]) if len(values) == 1 else values


def _known(share):
    return "unknown" if np.isnan(share) else f"{share:.2f}"
