"""Masked values against a plain loop, on networks of several shapes, and every way to ask for something impossible."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from symgen import ImageGame, InputError, explain, log_odds
from symgen.games import ROUNDING, _base
from symgen.games.variables import cell_boxes, cell_map, draw_cells, draw_words
from symgen.training import models


class Reshaping(nn.Module):
    """Flattens with view (refuses channels-last) and remembers its batch size before the cut."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Linear(4 * 100, 5)

    def forward(self, x):
        batch = x.shape[0]
        return self.head(self.relu(self.conv(x)).view(batch, -1))


class Skipping(nn.Module):
    """Something goes around the cut."""

    def __init__(self):
        super().__init__()
        self.inner, self.relu, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Linear(3, 4)

    def forward(self, x):
        return self.head((x + self.relu(self.inner(x))).mean(dim=(2, 3)))


class Broken(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.conv, self.output = nn.Conv2d(3, 2, 1), output

    def forward(self, x):
        return self.output(self.conv(x))


def masking(subset, cells, grid, baseline):
    """A hook that masks the output of a module's first call."""
    seen = []

    def mask(module, inputs, output):
        seen.append(1)
        if len(seen) > 1:
            return output
        output = output.clone()
        position = torch.as_tensor(cell_map(*output.shape[-2:], grid))
        for i, cell in enumerate(cells):
            if not subset >> i & 1:
                output[:, :, position == cell] = baseline[:, position == cell]
        return output

    return mask


def plain_loop(model, split_at, x, label, cells, grid, baseline):
    """One masked map after the other, each through the whole network."""
    values = []
    for subset in range(2 ** len(cells)):
        handle = model.get_submodule(split_at).register_forward_hook(masking(subset, cells, grid, baseline))
        with torch.no_grad():
            z = model.eval()(x[None].clone()).double()[0]
        handle.remove()
        others = torch.cat([z[:label], z[label + 1 :]])
        values.append(float(z[label] - torch.logsumexp(others, 0)))
    return np.array(values)


@pytest.mark.parametrize(
    ("model", "split_at"),
    [
        (lambda: models.build_model("small-vgg", 4, seed=0), "features.1"),
        (lambda: torchvision.models.resnet18(num_classes=4), "relu"),
        (lambda: torchvision.models.resnet18(num_classes=4), "layer1.0.relu"),
        (Reshaping, "relu"),
        (Skipping, "relu"),
    ],
    ids=["vgg", "resnet", "shared relu inside a skip", "view and fixed batch", "skip around the cut"],
)
def test_values_are_those_of_a_plain_loop(model, split_at):
    torch.manual_seed(0)
    network = model()
    size = {Reshaping: 10, models.SmallVGG: 30}.get(type(network), 40)
    x, cells, labels = torch.rand(2, 3, size, size), np.array([[0, 3, 7], [2, 12, 24]]), np.array([1, 3])
    game = ImageGame(network, split_at)
    game.baseline = game.mean_map(x)
    together = game.values(x, labels, cells)
    for i in range(2):
        expected = plain_loop(network, split_at, x[i], labels[i], cells[i], 5, game.baseline)
        assert expected.std() > 0
        np.testing.assert_allclose(together[i], expected, atol=2e-6)
        np.testing.assert_allclose(game.values(x[i], int(labels[i]), cells[i]), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("architecture", "stem", "split_at"),
    [
        ("resnet18", "small", "relu"),
        ("vgg11_bn", "small", "features.2"),
        ("mobilenet_v3_small", "imagenet", "features.0"),
        ("densenet121", "imagenet", "features.relu0"),
        ("convnext_tiny", "imagenet", "features.0"),
    ],
)
def test_a_network_that_trains_is_masked_in_evaluation_mode(architecture, stem, split_at):
    """Batch normalisation takes its running means, which stay as they are; the mean map is that of the same network."""
    network = models.build_model(architecture, 4, seed=0, stem=stem)
    x, cells = torch.rand(8, 3, 40, 40, generator=torch.Generator().manual_seed(0)), np.array([2, 12, 17])
    network(x)  # in training mode: running means that are not those of a new network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    game = ImageGame(network, split_at)
    game.baseline = game.mean_map(x, batch=3)
    values = game.values(x[0], 1, cells)
    assert network.training and all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    maps = []
    handle = network.get_submodule(split_at).register_forward_hook(
        lambda module, inputs, output: maps.append(output + 0)
    )
    with torch.no_grad():
        plain = log_odds(network.eval()(x[:1].clone()), torch.tensor([1])).item()
        network(x.clone())
    handle.remove()
    torch.testing.assert_close(game.baseline, maps[-1].mean(dim=0))
    expected = plain_loop(network, split_at, x[0], 1, cells, 5, game.baseline)
    assert expected.std() > 0 and values[-1] == pytest.approx(plain, abs=1e-5)
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_only_the_chosen_cells_are_masked_and_bit_i_is_the_ith_cell():
    network = Broken(lambda z: torch.cat([z.mean(dim=(2, 3)), z.new_zeros(len(z), 1)], dim=1))
    nn.init.constant_(network.conv.weight, 1 / 3)
    nn.init.zeros_(network.conv.bias)
    game = ImageGame(network, "conv", grid=2)
    x = torch.zeros(3, 2, 2)
    x[:, 0, 1] = 4.0  # only cell 1 holds anything
    v = game.values(x, 2, [1, 3])
    assert v[0] == v[2] and v[1] == v[3] and v[0] != v[1]  # variable 0 (cell 1) matters, variable 1 (cell 3) does not
    v = game.values(x, 2, [3, 1])
    assert v[0] == v[1] and v[2] == v[3] and v[0] != v[2]


def test_log_odds_do_not_overflow_where_the_network_is_sure():
    z = torch.tensor([[500.0, 0.0], [-500.0, 0.0]])
    assert log_odds(z, torch.tensor([0, 0])).tolist() == [500.0, -500.0]
    p = torch.softmax(torch.tensor([1.0, 2.0, 0.5]), 0)
    assert log_odds(torch.tensor([1.0, 2.0, 0.5]), torch.tensor(1)).item() == pytest.approx(
        (p[1] / (1 - p[1])).log().item()
    )


def test_memory_that_runs_out_halves_the_chunks():
    network, most = models.build_model("small-vgg", 10, seed=1).eval(), []
    x, cells = torch.rand(3, 30, 30), [1, 2, 3, 4, 5, 6]
    expected = ImageGame(network, "features.1").values(x, 0, cells)

    def small_memory(module, inputs):
        most.append(len(inputs[0]))
        if most[-1] > 9:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    network.features[2].register_forward_pre_hook(small_memory)
    network.classifier.register_forward_pre_hook(small_memory)
    np.testing.assert_allclose(ImageGame(network, "features.1").values(x, 0, cells), expected, atol=1e-6)
    assert max(most) > 9


def test_the_model_is_left_as_it_was():
    network = models.build_model("small-vgg", 10, seed=1)
    network.train()
    network.features[3].eval()
    before = {name: p.clone() for name, p in network.state_dict().items()}
    ImageGame(network, "features.1").values(torch.rand(3, 30, 30), 0, [1, 2])
    assert network.training and not network.features[3].training and network.features[0].training
    assert all(torch.equal(before[name], p) for name, p in network.state_dict().items())
    assert not network.features[1]._forward_hooks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split_at": "feature.1"}, "'feature.1' is no submodule of SmallVGG; did you mean 'features.1'"),
        ({"split_at": "classifier"}, r"expected a map \(batch, channel, height, width\)"),
        ({"split_at": "never"}, "never run"),
        ({"label": 10}, "label = 10; expected 0 to 9"),
        ({"label": -1}, "label = -1"),
        ({"variables": [1, 2, 2]}, "hold 2 more than once"),
        ({"variables": [1, 25]}, "cell 25; expected 0 to 24"),
        ({"variables": [0.5, 1.0]}, "expected a list of cell numbers"),
        ({"variables": list(range(21)), "grid": 5}, "n = 21 variables; expected 1 to 16"),
        ({"x": torch.rand(30, 30)}, r"x has shape \(30, 30\) of torch.float32"),
        ({"grid": 31}, "grid = 31 on a feature map of 30 x 30"),
        ({"baseline": torch.zeros(5, 30, 30)}, r"baseline has shape \(5, 30, 30\)"),
        (
            {"baseline": torch.full((2, 3, 30, 30), torch.nan)},
            "baseline holds NaN or infinity; expected finite numbers",
        ),
        (
            {"x": torch.full((3, 30, 30), torch.nan)},
            r"NaN or infinite values for sample\(s\) \[0\].*: the sample itself",
        ),
        ({"x": torch.rand(2, 3, 30, 30)}, "2 samples, 1 labels and 1 lists of variables; expected as many of each"),
        (
            {"x": torch.rand(2, 3, 30, 30), "label": [0, 1], "variables": [[1, 2], [1, 2, 3]]},
            r"variables: lists of \[2, 3\]; expected as many for each sample",
        ),
        ({"label": 2.0}, "label = 2.0; expected a whole number, which output of the model is meant"),
        ({"grid": -2}, "grid = -2; expected how many cells"),
        (
            {"baseline": torch.zeros(0, 3, 30, 30)},
            r"baseline has shape \(0, 3, 30, 30\) of torch.float32; expected floats",
        ),
        ({"baseline": torch.zeros(2, 3, 30, 30).byte()}, "of torch.uint8; expected floats, one image or more"),
        (
            {"x": torch.rand(3, 36, 36)},
            r"the model does not take x of shape \(1, 3, 36, 36\): .*shapes cannot be multip",
        ),
        ({"x": [torch.rand(30, 30)]}, r"x has shape \(30, 30\) of torch.float32; expected floats"),
        ({"baseline": []}, r"baseline has shape \(0,\)"),
        (
            {"baseline": torch.zeros(1, 30, 30)},
            r"\(1, 30, 30\); expected .* \(8, 30, 30\), or \(8, 1, 1\), .*game.mean_map\(image\[None\]\)",
        ),
        ({"baseline": torch.zeros(30, 30)}, r"baseline has shape \(30, 30\); expected"),
        ({"label": []}, "no labels; expected at least one"),
        ({"variables": [[6, 7], [8]]}, r"variables = \[\[6, 7\], \[8\]\]; expected a list of cell numbers"),
        ({"baseline": ["a", "b"]}, "baseline is no tensor: .*; expected one, or a list of them"),
        ({"x": torch.rand(1, 30, 30)}, r"the model does not take x of shape \(1, 1, 30, 30\): .* to have 3 channels"),
        ({"x": torch.zeros(3, 30, 30, dtype=torch.uint8)}, "of torch.uint8; expected floats"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(change, message):
    network = models.build_model("small-vgg", 10, seed=1)
    network.never = nn.ReLU()
    given = {"split_at": "features.1", "grid": 5, "baseline": None, "x": torch.rand(3, 30, 30), "label": 0}
    given |= {"variables": [1, 2, 3]} | change
    if isinstance(given["x"], list) or given["x"].ndim == 4:
        given |= {"label": [0], "variables": [[1, 2, 3]]} | change
    with pytest.raises(ValueError, match=message) as caught:
        game = ImageGame(network, given["split_at"], given["grid"], given["baseline"])
        game.values(given["x"], given["label"], given["variables"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            lambda z: z.mean(dim=(2, 3))[:, :1],
            r"expected \(batch, label\) logits, .*; of one output z .batch, 1., give torch.cat",
        ),
        (lambda z: z.mean(dim=(1, 2, 3)), "the model's output has shape .*; of one output z .*, give torch.cat"),
        (lambda z: z[:, :, :, :1], "two labels or more; wrap the model"),
        (lambda z: z.mean(), r"expected \(batch, label\) logits"),
        (lambda z: z, r"expected \(batch, label\) logits, two labels or more; wrap the model in a module that"),
        (lambda z: (z, z), r"the model's output is a tuple; expected \(batch, label\) logits"),
        (lambda z: nn.functional.dropout(z, training=True).mean(dim=(2, 3)), "changes from call to call"),
    ],
)
def test_a_model_without_steady_logits_of_two_labels(output, message):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=message):
        ImageGame(Broken(output), "conv").values(torch.rand(3, 10, 10) + 1, 0, [1, 2])


class Sized(nn.Module):
    """Takes images of 30 x 30 alone, and says so as networks do."""

    def __init__(self, error):
        super().__init__()
        self.inner, self.error = models.build_model("small-vgg", 10, seed=1), error

    def forward(self, x):
        if x.shape[-1] != 30:
            raise self.error
        return self.inner(x)


@pytest.mark.parametrize(
    "error", [AssertionError("Wrong image height! Expected 30"), ValueError("Input image size doesn't match")]
)
def test_an_image_that_a_forward_refuses_is_said_in_one_line(error):
    with pytest.raises(InputError, match=f"does not take x of shape .*: {error}; expected images as it was trained"):
        ImageGame(Sized(error), "inner.features.1").values(torch.rand(3, 20, 20), 0, [1, 2])


def test_another_error_of_a_forward_is_its_own():
    error = RuntimeError("boom: no kernel")
    with pytest.raises(RuntimeError, match="boom") as caught:
        ImageGame(Sized(error), "inner.features.1").values(torch.rand(3, 20, 20), 0, [1, 2])
    assert caught.value is error and error.__cause__ is None


def test_weights_that_are_no_numbers_are_named():
    network = models.build_model("small-vgg", 10, seed=1)
    with torch.no_grad():
        network.classifier[-1].weight[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"sample\(s\) \[0\]; .*: the model's weights hold NaN"):
        ImageGame(network, "features.1").values(torch.rand(3, 30, 30), 0, [1, 2])


def test_a_baseline_may_be_a_number_or_one_a_channel():
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    for baseline in (torch.tensor(0.5), torch.full((8, 1, 1), 0.5)):
        v = ImageGame(network, "features.1", 5, baseline).values(x, 0, [1, 2])
        np.testing.assert_allclose(
            v, ImageGame(network, "features.1", 5, torch.full((8, 30, 30), 0.5)).values(x, 0, [1, 2])
        )


def test_a_map_whose_channels_come_last_is_noticed():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), torchvision.ops.Permute([0, 2, 3, 1]), torchvision.ops.Permute([0, 3, 1, 2]), nn.Flatten()
    )
    with pytest.warns(UserWarning, match=r"'1' gives \(12, 12, 8\) for a square image.*channels come last, cut else"):
        ImageGame(network, "1", 2).values(torch.rand(3, 14, 14), 0, [1, 2])
    ImageGame(network, "0", 2).values(torch.rand(3, 14, 14), 0, [1, 2])  # of which nothing is said
    ImageGame(network, "1", 2).values(torch.rand(3, 14, 18), 0, [1, 2])


def test_a_model_with_nothing_to_cut_at():
    with pytest.raises(ValueError, match="Flatten has no submodules to cut at"):
        ImageGame(nn.Flatten(), "relu")


def test_a_network_that_takes_its_batch_in_parts_is_named():
    class InParts(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 3))

        def forward(self, x):
            return torch.cat([self.inside(part) for part in x.split(1)])

    x, cells, network = torch.rand(3, 12, 12), [1, 2], InParts()
    with pytest.raises(ValueError, match=r"split_at = 'inside\.1' is run on 1 of 3 images at a time; expected"):
        ImageGame(network, "inside.1", grid=4).values(x, 0, cells)
    assert ImageGame(network.inside, "1", grid=4).values(x, 0, cells).shape == (4,)


def test_a_network_whose_output_depends_on_its_batch_is_refused():
    """As in instance-wise statistics that are taken over the batch: v would depend on how many masked maps go in at once."""
    head = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.LazyLinear(3)]
    game = ImageGame(nn.Sequential(*head), "1", grid=4)
    with pytest.raises(ValueError, match="output for an image depends on the other images of its batch"):
        game.values(torch.rand(3, 10, 10), 0, [1, 2, 3])


class Normalising(nn.Module):
    """Has no weights, changes its input in place, and lets something around the cut only for bright images."""

    def __init__(self):
        super().__init__()
        self.cut = nn.ReLU()

    def forward(self, x):
        bright = (x.mean(dim=(1, 2, 3), keepdim=True) > 0.5).to(x)
        x -= 0.5
        z = (self.cut(x) + 5 * bright * x).mean(dim=(2, 3))
        return z


def test_a_forward_that_changes_its_input_and_a_skip_that_opens_now_and_then():
    network, cells = Normalising(), np.array([[0, 7], [3, 12], [4, 8]])
    brightness = torch.tensor([0, 0, 0.6])[:, None, None, None]  # the skip opens for the last one alone
    x = torch.rand(3, 3, 10, 10) * 0.4 + brightness
    before = x.clone()
    game = ImageGame(network, "cut")
    together = game.values(x, [0, 1, 2], cells)
    for i in range(3):
        expected = plain_loop(network, "cut", before[i].clone(), i, cells[i], 5, torch.zeros(3, 10, 10))
        np.testing.assert_allclose(together[i], expected, atol=1e-6)
    assert torch.equal(x, before)
    game.mean_map(x)
    assert torch.equal(x, before)


def test_cells_and_words_are_drawn_evenly_and_in_their_order(rng):
    drawn = np.stack([draw_cells(10, 5, rng) for _ in range(300)])
    assert (np.diff(drawn) > 0).all() and drawn.min() == 0 and drawn.max() == 24
    assert np.bincount(drawn.ravel()).std() < 20  # each cell about as often as another
    with pytest.raises(ValueError, match="at most 4"):
        draw_cells(5, 2, rng)
    words = np.stack([draw_words(3, [1, 4, 6, 9], rng) for _ in range(20)])
    assert (np.diff(words) > 0).all() and set(words.ravel()) == {1, 4, 6, 9}


def test_cells_share_a_map_out_evenly():
    sizes = np.bincount(cell_map(13, 13, 5).ravel())
    assert len(sizes) == 25 and sizes.min() == 4 and sizes.max() == 9
    assert (np.bincount(cell_map(30, 30, 5).ravel()) == 36).all()


def test_a_map_may_be_wider_than_it_is_high():
    cell_of = np.arange(4).reshape(2, 2).repeat(2, axis=0).repeat(3, axis=1)
    assert np.array_equal(cell_map(4, 6, 2), cell_of)
    for cell, box in zip((1, 2), cell_boxes([1, 2], 4, 6, 2)):
        assert cell_of[box].shape == (2, 3) and (cell_of[box] == cell).all()


def test_several_labels_take_one_pass_and_give_the_same_bits():
    network = models.build_model("small-vgg", 10, seed=1)
    game = ImageGame(network, "features.1", baseline=torch.rand(6, 3, 30, 30))
    x, labels, cells = torch.rand(3, 30, 30), [7, 0, 7], [3, 8, 12, 20]
    one_by_one = np.stack([game.values(x, label, cells) for label in labels])
    passes = []
    with _counted(network, passes):
        together = game.values(x, labels, cells)
    assert len(passes) == 2  # one up to the cut, one from there
    np.testing.assert_array_equal(together, one_by_one)
    with pytest.raises(ValueError, match="label = 12; expected 0 to 9"):
        game.values(x, [3, 12], cells)


def test_every_label_that_is_asked_has_to_be_finite():
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    network.classifier[-1].bias.data[7] = -torch.inf
    game = ImageGame(network, "features.1")
    assert np.isfinite(game.values(x, [0, 3], [1, 2])).all()
    with pytest.raises(ValueError, match="NaN or infinite"):
        game.values(x, [0, 7], [1, 2])


def test_images_as_baseline_are_their_mean_map():
    network, images = models.build_model("small-vgg", 10, seed=1), torch.rand(6, 3, 30, 30)
    game = ImageGame(network, "features.1", baseline=images)
    torch.testing.assert_close(game.baseline, ImageGame(network, "features.1").mean_map(images), rtol=0, atol=0)
    assert torch.equal(ImageGame(network, "features.1", baseline=list(images)).baseline, game.baseline)


@pytest.mark.parametrize("several", [list, tuple])
def test_images_may_come_as_a_list(several):
    network, images = models.build_model("small-vgg", 10, seed=1), torch.rand(2, 3, 30, 30)
    game, cells = ImageGame(network, "features.1"), [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(game.values(several(images), [0, 1], cells), game.values(images, [0, 1], cells))
    with pytest.raises(ValueError, match=r"x holds shapes \[\(3, 20, 30\), \(3, 30, 30\)\]; expected one shape"):
        game.values([images[0], images[1, :, :20]], [0, 1], cells)


@pytest.mark.parametrize("conv", ["tf32", "none"])
def test_sums_are_not_rounded_to_fewer_bits(conv, monkeypatch):
    network, sums = models.build_model("small-vgg", 10, seed=1), (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    seen = []
    network.features[0].register_forward_hook(lambda *_: seen.append([one.fp32_precision for one in sums]))
    for one, precision in zip(sums, (conv, "tf32")):
        monkeypatch.setattr(one, "fp32_precision", precision)
    before = [one.fp32_precision for one in sums]
    game, images = ImageGame(network, "features.1", baseline=torch.rand(2, 3, 30, 30)), torch.rand(2, 3, 30, 30)
    game.values(images, [0, 1], [[1, 2], [3, 4]])
    game.log_odds_of(images[0], 0, [1, 2])
    assert len(seen) >= 3 and all(each == ["ieee", "ieee"] for each in seen)
    assert [one.fp32_precision for one in sums] == before and before[1] == "tf32"  # given back


def test_v_is_as_precise_as_the_network_computes():
    network = models.build_model("small-vgg", 10, seed=1)
    game = ImageGame(network, "features.1")
    assert game.rounding == ROUNDING
    for dtype, digits in ((torch.float64, 52), (torch.bfloat16, 7)):
        network.to(dtype)
        assert game.rounding == 2.0**-digits
    network.features.double()
    assert game.rounding == 2.0**-7  # as its coarsest part
    with torch.autocast("cpu", torch.bfloat16):
        in_float32 = ImageGame(models.build_model("small-vgg", 2, seed=1), "features.1")
        assert in_float32.rounding == 2.0**-7  # its weights are, its maps are not


def test_numbers_that_are_only_stored_in_eight_bits_do_not_count():
    network = models.build_model("small-vgg", 10, seed=1)
    network.register_buffer("scale", torch.ones(1).to(torch.float8_e4m3fn))
    assert ImageGame(network, "features.1").rounding == ROUNDING


def test_an_image_that_holds_nan_leaves_no_trace():
    network, x = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30)
    game, fresh = ImageGame(network, "features.1"), ImageGame(network, "features.1")
    with pytest.raises(InputError, match="the sample itself holds NaN"):
        game.values(torch.full_like(x, torch.nan), 0, [1, 2, 3])
    expected = fresh.values(x, 0, [1, 2, 3])
    assert np.array_equal(game.values(x, 0, [1, 2, 3]), expected) and game._plans == fresh._plans
    assert all(plan.one_image for plan in game._plans.values())


@pytest.mark.parametrize("before", [True, False])
def test_an_image_that_is_too_bright_leaves_no_trace(before):
    network, x, cells = models.build_model("small-vgg", 10, seed=1), torch.rand(3, 30, 30), [0, 3, 7, 12, 17, 24]
    list(network.parameters())[-2].data *= 1e4
    game, fresh = ImageGame(network, "features.1"), ImageGame(network, "features.1")
    expected = fresh.values(x, 0, cells)
    if not before:
        game.values(x, 0, cells)
    with pytest.raises(InputError, match="masked outputs hold NaN or infinite values"):
        game.values(torch.full_like(x, 1e37), 0, cells)
    assert np.array_equal(game.values(x, 0, cells), expected)
    assert game._plans == fresh._plans and all(plan.one_image for plan in game._plans.values())
    (rest,), (clean,) = game._rests.values(), fresh._rests.values()
    assert len(rest.stages) == len(clean.stages) > 0


def test_threads_may_share_a_network_and_a_game():
    network, cells = models.build_model("small-vgg", 10, seed=1), [0, 3, 7, 12, 17, 24]
    images = torch.rand(8, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    game, other = (ImageGame(network, "features.1", grid=5) for _ in range(2))
    expected = [game.values(x, 0, cells) for x in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: (game, other)[i % 2].values(images[i], 0, cells), range(8)))
    np.testing.assert_array_equal(together, expected)


def test_images_of_several_sizes_may_come_one_after_another():
    convolutions = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1)
    network, cells = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(20, 6)), [0, 7, 24]
    images = [torch.rand(3, size, size, generator=torch.Generator().manual_seed(size)) for size in (20, 15, 20)]
    game = ImageGame(network, "1")
    for x in images:
        assert np.array_equal(game.values(x, 2, cells), ImageGame(network, "1").values(x, 2, cells))


@contextmanager
def _counted(network, passes):
    handle = network.register_forward_pre_hook(lambda *_: passes.append(1))
    yield
    handle.remove()


@pytest.mark.parametrize(
    "as_other",
    [
        lambda x: x.numpy(),
        lambda x: x.double(),
        lambda x: x.permute(2, 1, 0).contiguous().permute(2, 1, 0),
        lambda x: np.asfortranarray(x.numpy()),
    ],
    ids=["numpy", "float64", "strides", "Fortran"],
)
def test_the_same_image_in_another_type_or_layout_has_the_same_values(as_other):
    game = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1")
    x = torch.rand(3, 30, 30, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(game.values(as_other(x), 3, [3, 8, 12]), game.values(x, 3, [3, 8, 12]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_in_another_precision_has_nearly_the_same_values(dtype):
    network = models.build_model("small-vgg", 10, seed=1)
    x = torch.rand(3, 30, 30, generator=torch.Generator().manual_seed(0))
    v = ImageGame(network, "features.1").values(x, 3, [3, 8, 12])
    other = ImageGame(network.to(dtype), "features.1").values(x, 3, [3, 8, 12])
    np.testing.assert_allclose(other, v, rtol=3 * torch.finfo(dtype).eps + 1e-5)


def test_labels_and_variables_may_be_tensors_or_arrays():
    game = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1")
    images = torch.rand(2, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    v = game.values(images, [1, 2], [[3, 8], [4, 9]])
    for kind in (torch.tensor, np.array):
        np.testing.assert_array_equal(game.values(images, kind([1, 2]), kind([[3, 8], [4, 9]])), v)
        np.testing.assert_array_equal(game.values(images[0], kind([1, 2]), kind([3, 8]))[0], v[0])
        np.testing.assert_array_equal(game.values(images[1], kind(2), kind([4, 9])), v[1])


def test_a_mean_map_is_the_mean_over_the_images_of_the_map_at_the_cut():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3))
    images = torch.rand(7, 3, 10, 10)
    expected = network[:2](images).detach().mean(dim=0)
    for batch in (256, 3):
        torch.testing.assert_close(ImageGame(network, "1").mean_map(images, batch=batch), expected)


def test_a_network_that_is_random_before_the_cut_is_refused():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x)

    network = nn.Sequential(Noisy(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3))
    with pytest.raises(ValueError, match="changes from call to call"):
        ImageGame(network, "2").values(torch.rand(3, 10, 10), 0, [1, 2, 3])


def test_a_little_randomness_is_too_much():
    with pytest.raises(ValueError, match="changes from call to call"):
        _base.check_repeats(torch.ones(3), lambda: torch.ones(3) + 1e-4)


def test_how_large_one_logit_is_excuses_no_other():
    expected = torch.tensor([[0.0, 1000.0], [1.0, 1000.0]])
    assert not _base.agree(expected + torch.tensor([0.5, 0.0]), expected)
    assert _base.agree(expected + 1e-4, expected)


def test_log_odds_are_taken_in_double_precision():
    expected = 30 - (1 + np.log(2))
    assert log_odds(torch.tensor([[1.0, 1.0, 30.0]]), torch.tensor([2])).item() == pytest.approx(expected, rel=1e-14)


def test_the_mean_map_takes_what_a_baseline_takes():
    game, images = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1"), torch.rand(4, 3, 30, 30)
    expected = game.mean_map(images)
    assert torch.equal(game.mean_map(list(images)), expected) and torch.equal(game.mean_map(images.numpy()), expected)
    for wrong in (images[0], images[:0], (images * 255).to(torch.uint8)):
        with pytest.raises(ValueError, match=r"images has shape .* of torch\.\w+; expected floats \(image, c, h, w\)"):
            game.mean_map(wrong)


def test_a_data_set_is_no_sample():
    game, images = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1"), torch.rand(2, 3, 30, 30)
    with pytest.raises(ValueError, match="x is a TensorDataset; expected a tensor or an array, or a list of them"):
        explain(game, torch.utils.data.TensorDataset(images), [0, 1], variables=3)
