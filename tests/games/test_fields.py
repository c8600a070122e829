"""Masked maps of all subsets from those of few: the same values as mask by mask, whatever the network looks like."""

import warnings

import numpy as np
import pytest
import torch
import torchvision
from test_games import plain_loop
from torch import nn

from symgen import ImageGame
from symgen.games import _fields as fields
from symgen.games import images as games
from symgen.interactions import subset_matrix
from symgen.training import models

CELLS, OTHERS = [0, 3, 7, 12, 18, 24], [1, 2, 6, 8, 13, 20]


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


class Shortcut(nn.Module):
    """A module that gives what it got stands around two convolutions; what it gives is changed in place."""

    def __init__(self, width):
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.shortcut = nn.Sequential()

    def forward(self, x):
        out = self.inside(x)
        out += self.shortcut(x)
        return out


class Early(nn.Module):
    """Goes around a layer that changes its input in place."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Sigmoid())
        self.tanh, self.pool = nn.Hardtanh(-0.4, 0.4, inplace=True), nn.MaxPool2d(2)
        self.heads = nn.ModuleList([nn.LazyLinear(4), nn.LazyLinear(4)])

    def forward(self, x):
        x = self.body(x)
        early = self.pool(x)
        return self.heads[0](early.flatten(1)) + self.heads[1](self.tanh(x).flatten(1))


class Viewing(nn.Module):
    """Flattens by a view, which channels last refuse."""

    def forward(self, x):
        return x.view(len(x), -1)


class Repacked(nn.Module):
    """Gives its map channel by channel in memory, whatever it got."""

    def forward(self, x):
        return x.clone(memory_format=torch.contiguous_format)


class Selecting(nn.Module):
    """A ReLU by `where`, through which NaN does not go."""

    def forward(self, x):
        return torch.where(x > 0, x, torch.zeros(()))


class HiddenField(nn.Module):
    """Of what it sees far away only small numbers count, so that neither NaN nor huge numbers show more than the near."""

    def __init__(self, width):
        super().__init__()
        self.near, self.far = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 9, padding=4)

    def forward(self, x):
        return self.near(x) + (self.far(x).abs() < 0.02).to(x.dtype)


class Refusing(nn.Module):
    def forward(self, x):
        if not x.isfinite().all():
            raise RuntimeError("this network wants finite numbers")
        return x


class Excited(nn.Module):
    """Every position is scaled by the mean over all of them."""

    def forward(self, x):
        return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()


class Switched(nn.Module):
    """Another scale where a mean over all positions is high: nothing of it is seen by NaN, or by the gradient.

    The mean of all channels, or of the differences between two.
    """

    threshold = np.inf

    def __init__(self, between=False):
        super().__init__()
        self.between = between

    def forward(self, x):
        compared = x[:, :1] - x[:, 1:2] if self.between else x
        self.means = compared.detach().mean(dim=(1, 2, 3))
        return torch.where((self.means > self.threshold)[:, None, None, None], 1.5 * x, x)


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
    "a shortcut": (network_of(Shortcut(4), nn.MaxPool2d(2)), "1", 20, ["3"]),
    "around a layer in place": (Early(), "body.1", 20, []),
    "a view": (network_of(nn.MaxPool2d(2), convolution(), Viewing()), "1", 20, ["3"]),
    "a view that works from the cut alone": (network_of(nn.MaxPool2d(2), Repacked(), Viewing()), "1", 20, []),
    "higher than wide": (network_of(convolution(), pool=nn.MaxPool2d(2)), "1", (20, 30), ["3"]),
    "NaN is swallowed": (network_of(convolution(), Selecting(), convolution()), "1", 20, ["4"]),
    "a field that nothing shows": (network_of(HiddenField(4)), "1", 20, []),
    "refuses NaN": (network_of(Refusing(), convolution()), "1", 20, []),
    "sees everything": (network_of(Excited(), convolution()), "1", 20, []),
    "no gradient": (network_of(Signs(), convolution()), "1", 20, []),
}


def plainly(game, *given, monkeypatch):
    """The same values from the cut alone."""
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
    (rest,) = game._rests.values()
    return [names[stage.module] for stage, _ in rest.path(cells, game._chunk)]


@pytest.mark.parametrize("name", NETWORKS)
def test_values_by_stages_are_those_without(name, monkeypatch):
    network, split_at, size, expected = NETWORKS[name]
    x = torch.rand(3, *(size if isinstance(size, tuple) else (size, size)), generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), split_at, baseline=x.flip(-1)[None])
    for cells in (CELLS, OTHERS):
        v, plain = game.values(x, 2, cells), plain_loop(network, split_at, x, 2, cells, 5, game.baseline)
        assert np.ptp(plain) > 0
        np.testing.assert_allclose(v, plain, rtol=0, atol=min(1e-5, 0.01 * np.ptp(plain)))
        assert np.array_equal(v, plainly(game, x, 2, cells, monkeypatch=monkeypatch))
        assert np.array_equal(game.values(x, 2, cells), v)  # also once they are known
    assert stages_of(game, CELLS) == expected


@pytest.mark.parametrize(
    ("build", "cut", "size"),
    [
        (torchvision.models.resnet18, "relu", 64),
        (torchvision.models.densenet121, "features.relu0", 64),
        (torchvision.models.mobilenet_v3_small, "features.0", 96),
        (torchvision.models.vgg11_bn, "features.2", 32),
    ],
    ids=["resnet", "densenet", "mobilenet", "vgg"],
)
def test_published_networks_have_stages_and_the_values_of_a_plain_loop(build, cut, size, monkeypatch):
    torch.manual_seed(0)
    network, x = build(num_classes=5).eval(), torch.rand(3, size, size)
    for module in network.modules():  # as after a training: else some hardly depend on their input
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.2, 1)
    game = ImageGame(network, cut, baseline=x.flip(-1)[None])
    v, plain = game.values(x, 2, CELLS), plain_loop(network, cut, x, 2, CELLS, 5, game.baseline)
    np.testing.assert_allclose(v, plain, rtol=0, atol=1e-4 * np.ptp(plain) + 1e-6)
    assert stages_of(game, CELLS)


def test_a_stage_is_what_everything_goes_through():
    network, split_at, size, _ = NETWORKS["skips"]
    x = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), split_at)
    game.values(x, 2, CELLS)
    names = {module: name for name, module in network.named_modules()}
    (rest,) = game._rests.values()
    assert [names[stage.module] for stage in rest.stages] == ["2", "3", "4"]  # nothing inside a block
    assert [stage.work for stage in rest.stages] == sorted(stage.work for stage in rest.stages)


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
    patched = fields.Patchwork(nn.Identity(), maps(fields.few_subsets(colour)), seen, colour, row_bytes=96)
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
    assert not game._rests
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_few_bits_do_not_make_another_network_look_the_same(dtype, monkeypatch):
    network, x = Tapped(), torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x).to(dtype), "body.1")
    v = game.values(x, 2, CELLS)
    assert not stages_of(game, CELLS)
    assert np.array_equal(v, plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))


def test_a_first_sample_that_tells_nothing_decides_nothing(monkeypatch):
    network, x = network_of(HiddenField(4)), torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), "1", baseline=torch.zeros(1, 3, 20, 20))
    game.values(torch.zeros(3, 20, 20), 2, CELLS)  # masked or not is the same
    assert np.array_equal(game.values(x, 2, CELLS), plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.98])
def test_a_layer_that_decides_by_all_positions_is_noticed(share, between, monkeypatch):
    switched, x = Switched(between), torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(0))
    layers = (switched, convolution()) if between else (convolution(), switched, convolution())
    network = drawn_anew(network_of(*layers), x)
    game = ImageGame(network, "1", baseline=x.flip(-1)[None])
    game.log_odds_of(x, 2, CELLS)  # all masked inputs at once
    switched.threshold = float(switched.means.quantile(share))
    v = game.values(x, 2, CELLS)
    assert stages_of(game, CELLS) == ([] if between else ["2"])  # what lies before it
    assert np.array_equal(v, plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))


def test_few_maps_in_many_parts_do_not_lie_in_each_others_memory(monkeypatch):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(4),
        nn.Conv2d(4, 5, 3),
        nn.Flatten(),
        nn.LazyLinear(6),
    )
    x = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    game = ImageGame(drawn_anew(network, x), "0", baseline=x.flip(-1)[None])
    game._chunk = 1  # a row a part
    plain = plainly(game, x, 2, CELLS, monkeypatch=monkeypatch)
    np.testing.assert_allclose(game.values(x, 2, CELLS), plain, rtol=0, atol=1e-6)
    game._chunk = 1 << 24
    assert stages_of(game, CELLS)


def test_memory_that_runs_out_on_the_way_to_a_stage_leaves_the_direct_way(monkeypatch):
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    game = ImageGame(network, "features.1")
    expected = plainly(game, x, 2, CELLS, monkeypatch=monkeypatch)
    cat = torch.cat

    def small_memory(parts, *given, **options):
        if parts[0].ndim == 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return cat(parts, *given, **options)

    monkeypatch.setattr(torch, "cat", small_memory)
    assert np.array_equal(game.values(x, 2, CELLS), expected)


def test_what_a_network_keeps_of_what_it_sees_is_as_before():
    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("most", torch.zeros(()))

        def forward(self, x):
            self.most.copy_(torch.maximum(self.most, x.detach().max()))
            return x

    network, x = network_of(Watching(), convolution()), torch.rand(3, 20, 20)
    ImageGame(drawn_anew(network, x), "1").values(x, 2, CELLS)
    assert network[2].most.isfinite()


def test_a_scripted_part_is_no_stage(monkeypatch):
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        head = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(400, 6)))
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), head).eval()
    game, x = ImageGame(network, "1"), torch.rand(3, 20, 20)
    assert np.array_equal(game.values(x, 2, CELLS), plainly(game, x, 2, CELLS, monkeypatch=monkeypatch))
    assert len(game._rests) == 1 and [stage.module for stage in next(iter(game._rests.values())).stages] == [network[2]]
