"""Masked maps of all subsets from those of few: the same values as mask by mask, whatever the network looks like."""

import numpy as np
import pytest
import torch
from torch import nn

from symgen import ImageGame
from symgen.games import _fields as fields
from symgen.games import images as games
from symgen.interactions import subset_matrix
from symgen.training import models

CELLS = [0, 3, 7, 12, 18, 24]


class Tapped(nn.Module):
    """The cut's output goes to a pooling and around it."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.heads = nn.ModuleList([nn.LazyLinear(4), nn.LazyLinear(4)])

    def forward(self, x):
        full = self.body[:2](x)
        return self.scale * (self.heads[0](self.body[2](full).flatten(1)) + self.heads[1](full.flatten(1)))


class Block(nn.Module):
    """A sum of what goes through two convolutions and what goes around them; one ReLU runs twice."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x + self.second(self.relu(self.first(x))))


class Selecting(nn.Module):
    """A ReLU by `where`, through which NaN does not go."""

    def forward(self, x):
        return torch.where(x > 0, x, torch.zeros(()))


class HiddenField(nn.Module):
    """What it sees far away goes through a `where`, so that NaN shows the near alone."""

    def __init__(self, width):
        super().__init__()
        self.near, self.far = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 9, padding=4)
        self.selecting = Selecting()

    def forward(self, x):
        return self.near(x) + self.selecting(self.far(x))


class Refusing(nn.Module):
    def forward(self, x):
        if not x.isfinite().all():
            raise RuntimeError("this network wants finite numbers")
        return x


class Excited(nn.Module):
    """Every position is scaled by the mean over all of them."""

    def forward(self, x):
        return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()


class Signs(nn.Module):
    """No gradient goes through it."""

    def forward(self, x):
        return (x > 0.1).to(x.dtype)


def network_of(*layers, pool=None):
    start = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), *([pool] if pool else [])
    return nn.Sequential(*start, *layers, nn.Flatten(), nn.LazyLinear(6))


def convolution():
    return nn.Conv2d(4, 4, 3, padding=1)


NETWORKS = {
    "windows within cells": (network_of(convolution(), pool=nn.MaxPool2d(2)), "1", 20, ["3"]),
    "windows across cells": (network_of(convolution(), pool=nn.MaxPool2d(2)), "1", 15, ["3"]),
    "windows that overlap": (network_of(convolution(), pool=nn.MaxPool2d(3, 2, padding=1)), "1", 20, ["3"]),
    "fewer positions than cells": (network_of(convolution(), pool=nn.MaxPool2d(4)), "1", 16, ["2", "3"]),
    "average": (network_of(convolution(), pool=nn.AvgPool2d(2)), "1", 20, ["3"]),
    "before the ReLU": (network_of(convolution(), pool=nn.MaxPool2d(2)), "0", 20, ["3"]),
    "around the pooling": (Tapped(), "body.1", 20, []),
    "around it, small logits": (Tapped(scale=1e-4), "body.1", 20, []),
    "skips": (network_of(Block(4), nn.MaxPool2d(2), Block(4)), "1", 20, ["3", "4"]),
    "NaN is swallowed": (network_of(convolution(), Selecting(), convolution()), "1", 20, ["2"]),
    "a field that NaN does not show": (network_of(HiddenField(4)), "1", 20, []),
    "refuses NaN": (network_of(Refusing(), convolution()), "1", 20, []),
    "sees everything": (network_of(Excited(), convolution()), "1", 20, []),
    "no gradient": (network_of(Signs(), convolution()), "1", 20, []),
}


def plainly(game, *given, monkeypatch):
    """The same values without a stage."""
    with monkeypatch.context() as without:
        without.setattr(games, "WORTH_A_PATH", 1 << 20)
        return ImageGame(game.model, game.split_at, game.grid, game.baseline).values(*given)


def drawn_anew(network, x):
    network.eval()(x[None])  # lazy layers
    with torch.random.fork_rng():
        torch.manual_seed(3)  # weights of which some units see the image
        for module in network.modules():
            getattr(module, "reset_parameters", lambda: None)()
    return network


def stages_of(game, cells):
    """Names of the modules that are stages for these cells."""
    names = {module: name for name, module in game.model.named_modules()}
    (behind,) = game._behind.values()
    return [names[stage.module] for stage, _ in behind.path(cells)]


@pytest.mark.parametrize("name", NETWORKS)
def test_values_by_stages_are_those_without(name, monkeypatch):
    network, split_at, size, expected = NETWORKS[name]
    x = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), split_at, baseline=x.flip(-1)[None])
    v = game.values(x, 2, CELLS)
    plain = plainly(game, x, 2, CELLS, monkeypatch=monkeypatch)
    assert np.ptp(plain) > 0
    np.testing.assert_allclose(v, plain, rtol=0, atol=1e-5 * np.ptp(plain))
    assert stages_of(game, CELLS) == expected
    assert np.array_equal(game.values(x, 2, CELLS), v)  # also once they are known


def test_a_stage_is_what_everything_goes_through(monkeypatch):
    network, split_at, size, _ = NETWORKS["skips"]
    x = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), split_at)
    game.values(x, 2, CELLS)
    names = {module: name for name, module in network.named_modules()}
    (behind,) = game._behind.values()
    assert [names[stage.module] for stage in behind.stages] == ["2", "3", "4"]  # nothing inside a block
    assert [stage.work for stage in behind.stages] == sorted(stage.work for stage in behind.stages)


def test_no_position_sees_two_of_one_colour():
    rng = np.random.default_rng(0)
    for share in (0.02, 0.1, 0.5, 1):
        seen = rng.random((9, 40)) < share
        colour = fields.colours(seen)
        for one in np.unique(colour):
            assert (seen[colour == one].sum(axis=0) <= 1).all()
        assert set(colour) == set(range(colour.max() + 1))
    assert len(set(colour)) == 9  # where all is seen everywhere


def test_maps_put_together_are_those_that_a_local_function_gives():
    rng = np.random.default_rng(1)
    seen = rng.random((6, 12)) < 0.2
    colour = fields.colours(seen)

    def maps(
        shown,
    ):  # (subset, channel, height, width), a position's value is one of the subset of variables that it sees
        code = (shown @ (seen << np.arange(6)[:, None])).reshape(-1, 1, 3, 4)
        return torch.as_tensor(np.concatenate([code, np.sin(code)], axis=1), dtype=torch.float32)

    assert 2 ** (colour.max() + 1) < 2**6
    patched = fields.Patchwork(nn.Identity(), maps(fields.few_subsets(colour)), seen, colour)
    together = patched(subset_matrix(6))
    assert torch.equal(together, maps(subset_matrix(6)))


def test_a_network_that_is_changed_between_two_samples_has_its_new_values(monkeypatch):
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    game = ImageGame(network, "features.1")
    before = game.values(x, 2, CELLS)
    with torch.no_grad():
        network.features[3].weight *= 1.5
    after = game.values(x, 2, CELLS)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))


def test_another_grid_has_other_fields(monkeypatch):
    game, x = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1", grid=4), torch.rand(3, 30, 30)
    game.values(x, 2, [0, 1, 2, 3, 4, 5])
    game.grid = 5
    assert np.array_equal(game.values(x, 2, CELLS), plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))


def test_few_subsets_take_no_stage_and_large_maps_none_that_do_not_fit(monkeypatch):
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    game = ImageGame(network, "features.1")
    game.values(x, 2, CELLS[:5])
    assert not game._behind
    game.values(x, 2, CELLS)
    assert stages_of(game, CELLS)
    monkeypatch.setattr(fields, "MOST_BYTES", 1000)
    assert not stages_of(game, CELLS)


def test_weights_and_hooks_are_as_before():
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    ImageGame(network, "features.1").values(x, 2, CELLS)
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_have_stages_too(dtype, monkeypatch):
    network, x = models.build_model("small-vgg", 10, seed=1).to(dtype), torch.rand(3, 30, 30)
    game = ImageGame(network, "features.1")
    v = game.values(x, 2, CELLS)
    assert stages_of(game, CELLS)
    np.testing.assert_array_equal(v, plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))
