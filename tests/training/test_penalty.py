"""The penalty: its gradient against finite differences of the definitions, and what leaves a training as it was."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from symgen import ImageGame, TextGame, and_interactions, or_interactions, orders, training
from symgen.interactions import sparse_and_or
from symgen.interactions.transforms import subset_sums
from symgen.training import models
from symgen.training.penalty import JudgedSample, Penalty, held_interactions, strength_to_lose
from symgen.training.tokenizers import build_tokenizer

N = 4
SOLVER = {"noise_bound": 0.04, "ridge": 0.5}
TEXTS = ["A warm, charming film, funny throughout.", "A dull film with bored actors and a weak script."]


def held(v, solved):
    """Interactions of any v' with the gamma and the noise that belong to v, from the definitions."""
    and_part = subset_sums(solved.i_and)  # v_and = (v - noise) / 2 + gamma, the bias left to it
    gamma = and_part + solved.bias - (v - solved.noise) / 2

    def interactions(other):
        i_and = and_interactions((other - solved.noise) / 2 + gamma)
        i_or = or_interactions((other - solved.noise) / 2 - gamma)
        single = orders(N) == 1
        i_and[single], i_or[single] = i_and[single] + i_or[single], 0
        i_and[0] = 0
        return np.stack([i_and, i_or])

    return interactions


@pytest.fixture
def v(rng):
    return np.concatenate([[0.3], rng.normal(size=(1 << N) - 2) * 2, [5.0]])


def test_interactions_move_as_the_definitions_say_with_gamma_and_noise_held(v, rng):
    solved = sparse_and_or(v, **SOLVER)
    by_definition = held(v, solved)
    np.testing.assert_allclose(by_definition(v), solved.effects, atol=1e-12)
    given = torch.tensor(v)[None]
    effects = held_interactions(given, **SOLVER)[0]
    jacobian = torch.autograd.functional.jacobian(lambda x: held_interactions(x, **SOLVER)[0], given)[..., 0, :]
    for other in v + rng.normal(size=(3, 1 << N)):
        moved = effects + jacobian @ torch.tensor(other - v)
        np.testing.assert_allclose(moved, by_definition(other), atol=1e-10)


class Net(nn.Module):
    """A small classifier in double precision, with layers that behave otherwise while training."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.rest = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * 36, 8), nn.Tanh(), nn.Linear(8, 3))
        self.double()

    def forward(self, x):
        return self.rest(self.features(x))


@pytest.fixture
def images():
    return torch.rand(12, 3, 6, 6, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture
def judged(images, rng):
    """Every image with other variables, and two baselines with a salient interaction here and there."""
    baselines = rng.integers(-1, 2, size=(12, 2, 2, 1 << N)).astype(float)
    cells = [np.sort(rng.choice(9, N, replace=False)) for _ in images]
    return {i: JudgedSample(images[i], i % 3, cells[i], baselines[i]) for i in range(12)}


def test_the_gradient_is_that_of_finite_differences_through_the_network(judged):
    network = Net()
    game = ImageGame(network, "features.2", grid=3)
    penalty = Penalty(
        game, judged, weight=0.7, per_batch=2, every=1, **{k: SOLVER[k] for k in ("noise_bound", "ridge")}
    )
    batch, parameter = torch.tensor([5, 2, 7]), network.rest[4].weight
    value = penalty(batch)
    (gradient,) = torch.autograd.grad(value, parameter)
    samples, samples_held = [judged[5], judged[2]], []
    for one in samples:
        one_v = game.values(one.x, one.label, one.variables)
        samples_held.append(held(one_v, solved := sparse_and_or(one_v, **SOLVER)))
        one_strength = solved.effects
        samples_held[-1].penalised = ~(one_strength * one.baselines > 0).any(axis=0)

    def strength():
        """0.7 times the mean strength, gamma, the noise and what generalizes held."""
        each = zip(samples, samples_held)
        values = ((one_held, one_held(game.values(one.x, one.label, one.variables))) for one, one_held in each)
        return 0.7 * np.mean([(np.abs(effects) * one_held.penalised).sum() for one_held, effects in values])

    assert strength() == pytest.approx(value.item())
    for index in [(0, 0), (1, 3), (2, 7)]:
        sides = []
        for step in (1e-5, -1e-5):  # far more than what is left of interactions that are zero
            with torch.no_grad():
                parameter[index] += step
            sides.append(strength())
            with torch.no_grad():
                parameter[index] -= step
        assert gradient[index].item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4)


def test_a_penalty_is_the_mean_strength_by_its_own_rule_and_noise_each_sample_with_its_label(judged):
    game, options = ImageGame(Net(), "features.2", grid=3), {"noise_bound": 0.2, "ridge": 0.3}
    penalty, items = Penalty(game, judged, weight=0.7, every=1, combine="all", **options), [judged[5], judged[3]]
    v = torch.tensor(np.stack([game.values(one.x, one.label, one.variables) for one in items]))
    baselines = np.stack([one.baselines for one in items], axis=1)
    strength = strength_to_lose(v, baselines, "all", **SOLVER | options).mean().item()
    assert penalty(torch.tensor([5, 3])).item() == pytest.approx(0.7 * strength)


def test_masked_maps_leave_batch_normalisation_and_dropout_alone(judged):
    network = Net().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    penalty = Penalty(ImageGame(network, "features.2", grid=3), judged, weight=0.7, every=1)
    values = [penalty(torch.tensor([5, 2])) for _ in range(2)]
    values[0].backward()
    assert values[0] == values[1] > 0  # no dropout: twice the same
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())  # nor a new mean
    assert all(module.training for module in network.modules())
    assert network.features[1].weight.grad.any()  # but normalisation learns from the penalty


def test_where_everything_generalizes_there_is_nothing_to_penalise(v):
    given = torch.tensor(v)[None].requires_grad_()
    signs = np.sign(held_interactions(given, **SOLVER).detach().numpy())[None]
    strength = strength_to_lose(given, signs, **SOLVER)
    (gradient,) = torch.autograd.grad(strength.sum(), given)
    assert strength.item() == 0 and not gradient.any()
    assert strength_to_lose(given, 0 * signs, **SOLVER).item() == pytest.approx(sparse_and_or(v, **SOLVER).l1)


@pytest.mark.parametrize(("combine", "strength"), [("any", 0), ("all", 2)])
def test_one_and_of_two_variables_worked_by_hand(combine, strength):
    v = torch.tensor([[0.0, 0.0, 0.0, 2.0]], dtype=torch.float64)  # the AND of both variables, of strength 2
    baselines = np.zeros((2, 1, 2, 4))
    baselines[0, 0, 0, 3], baselines[1, 0, 0, 3] = 1, -1  # one baseline agrees, one has the other sign
    value = strength_to_lose(v, baselines, combine, noise_bound=0, ridge=1e-4)
    assert value.item() == pytest.approx(strength, abs=1e-2)


def test_it_is_taken_at_every_such_call_on_the_first_known_items_and_leaves_the_mode_alone(judged, images):
    network = Net().train()
    network.rest[0].eval()
    known = {item: judged[item] for item in (1, 4, 6)}
    penalty = Penalty(ImageGame(network, "features.2", grid=3), known, weight=1, per_batch=2, every=3, seen=images)
    taken = [penalty(torch.tensor([0, 6, 3, 1, 4])).item() for _ in range(6)]
    assert [value > 0 for value in taken] == [False, False, True] * 2
    alone = Penalty(ImageGame(network, "features.2", grid=3), judged, weight=1, per_batch=2, every=1, seen=images)
    expected = ImageGame(network, "features.2", grid=3).mean_map(images[[6, 1]])
    assert alone(torch.tensor([6, 1])).item() > 0 and torch.equal(alone.game.baseline, expected)
    assert penalty(torch.tensor([0, 3])).item() == 0  # none of them is known
    assert network.training and network.features[1].training and not network.rest[0].training


def test_a_network_that_has_diverged_is_said_to_have(judged, images):
    network = Net()
    network.features[0].weight.data[:] = torch.nan
    penalty = Penalty(ImageGame(network, "features.2", grid=3), judged, weight=1, every=1, seen=images)
    with pytest.raises(ValueError, match="NaN or infinity on a masked sample: it has diverged; expected a smaller"):
        penalty(torch.tensor([0, 6]))


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        ({}, {}, "no samples; expected items of the training set, by their number"),
        ([1], {}, "samples is a list; expected items of the training set, by their number"),  # would never be found
        ({"0": 1}, {}, "an item of samples = '0'; expected its number"),
        ({-1: 1}, {}, "an item of samples = -1; expected its number"),
        ({0: 1}, {"every": 0}, "every = 0; expected a whole number, 1 or more"),
        ({0: 1}, {"per_batch": 0}, "per_batch = 0; expected a whole number, 1 or more"),
        ({0: 1}, {"weight": -1}, "weight = -1; expected a finite number, 0 or more"),
        ({0: 1}, {"combine": "most"}, "combine = 'most'; expected one of any, majority, all"),
        ({0: 1}, {}, "sample 0 is of type int; expected a JudgedSample"),
        (
            {3: JudgedSample(torch.zeros(3, 12, 12), 1, np.array([6, 7]), np.zeros((1, 2, 8)))},
            {},
            r"sample 3: baselines have shape \(1, 2, 8\); expected \(baseline, 2, 4\) with its 2 variables",
        ),
        (
            {n: JudgedSample(torch.zeros(3, 12, 12), 1, np.arange(n), np.zeros((1, 2, 1 << n))) for n in (2, 3)},
            {},
            r"samples 2 and 3: baselines have shapes \(1, 2, 4\) and \(1, 2, 8\); expected as many baselines",
        ),
    ],
)
def test_a_penalty_that_could_do_nothing_is_refused(samples, options, message):
    with pytest.raises(ValueError, match=message):
        Penalty(ImageGame(Net(), "features.2", grid=3), samples, **{"weight": 1} | options)


@pytest.mark.parametrize("game", [Net(), object()])
def test_a_penalty_asks_for_a_game_with_a_gradient(judged, game):
    message = f"game = {type(game).__name__}; expected one with a gradient: an ImageGame or TextGame"
    with pytest.raises(ValueError, match=message):
        Penalty(game, judged, weight=1)


def test_with_weight_0_training_is_bit_identical_to_plain_training(judged, images):
    labels = torch.arange(12) % 3

    def trained(weight):
        network = Net()
        penalty = Penalty(ImageGame(network, "features.2", 3), judged, weight=weight or 0, every=1, seen=images)
        objective = lambda z, batch: functional.cross_entropy(z, labels[batch]) + penalty(batch)  # noqa: E731
        torch.manual_seed(3)  # dropout draws
        list(training.train(
            network, images, labels, epochs=3, batch_size=4, learning_rate=0.01, seed=5,
            objective=None if weight is None else objective,
        ))  # fmt: skip
        return network.state_dict()

    plain, none, some = trained(None), trained(0), trained(0.1)
    assert all(torch.equal(plain[name], none[name]) for name in plain)
    assert not all(torch.equal(plain[name], some[name]) for name in plain)


def test_masked_values_with_a_gradient_are_those_without(images):
    resnet = models.build_model("resnet18", 3, seed=0)  # trains: its running means are to be taken
    picture = torch.rand(3, 40, 40)
    for network, cut, x in ((Net().eval(), "features.2", images[0]), (resnet, "relu", picture)):
        game = ImageGame(network, cut, grid=3)
        game.baseline = game.mean_map(x[None].flip(-1))
        v = game.log_odds_of(x, 1, [0, 3, 5, 7])
        np.testing.assert_allclose(v.detach(), game.values(x, 1, [0, 3, 5, 7]), atol=1e-4)
        v.sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
    tokenizer = build_tokenizer(TEXTS, min_count=1, max_tokens=40)
    bert = models.build_bert("bert-1x64", 2, tokenizer, 40, seed=3).train()  # with dropout, which is to be still
    game = TextGame(bert, tokenizer)
    words = game.candidates(TEXTS[1])[:4]
    v = game.log_odds_of(TEXTS[1], 0, words)
    np.testing.assert_allclose(v.detach(), game.values(TEXTS[1], 0, words), atol=1e-5)
    v.sum().backward()
    assert bert.training and all(parameter.grad is not None for parameter in bert.classifier.parameters())


def test_rounding_errors_of_a_network_are_not_penalised():
    class Rounded:
        """Its v differ by rounding errors of float32 alone."""

        rounding = 2.0**-23

        def log_odds_of(self, x, label, variables):
            return 1e6 + 0.05 * torch.rand(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    sample = JudgedSample(torch.zeros(3, 6, 6), 0, np.arange(3), np.zeros((1, 2, 8)))
    assert Penalty(Rounded(), {0: sample}, weight=1, every=1)(torch.tensor([0])).item() == 0


def test_a_sample_of_weak_interactions_is_penalised_beside_one_of_strong_ones(rng):
    v = torch.tensor(rng.normal(size=(1, 8)))
    both = strength_to_lose(torch.cat([v, 1e-8 * v]), np.zeros((1, 2, 2, 8)))
    assert both[1].item() == pytest.approx(1e-8 * both[0].item(), rel=1e-3)
