"""Networks by name, and the training loop."""

import pytest
import torch

from symgen import training
from symgen.training import loop, models


def test_a_seed_fixes_the_weights_and_leaves_the_global_generators_alone(monkeypatch):
    """Those of GPUs as well, from which dropout draws: a teacher is built while its pupil is about to be trained."""
    begun_anew = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", begun_anew.append)
    state = torch.random.get_rng_state()
    first, again, other = (models.build_model("small-vgg", 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(state, torch.random.get_rng_state()) and not begun_anew


def test_any_classifier_of_torchvision_by_name():
    assert models.build_model("squeezenet1_1", 7, seed=0)(torch.rand(2, 3, 64, 64)).shape == (2, 7)
    with pytest.raises(ValueError, match="architecture = 'resnet19' is unknown; the nearest is 'resnet1"):
        models.build_model("resnet19", 10, seed=0)


@pytest.mark.parametrize(("architecture", "side"), [("resnet18", 4), ("resnet50", 4), ("vgg11", 1), ("vgg16_bn", 1)])
def test_a_small_stem_leaves_a_map_of_a_small_image(architecture, side):
    """At 32 pixels what enters the mean over positions: 4 x 4 of a ResNet (1 x 1 as it is), 1 x 1 of a VGG."""
    seen = []
    model = models.build_model(architecture, 7, seed=0, stem="small").eval()
    pooled = model.avgpool
    pooled.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[-2:]))
    x = torch.rand(2, 3, 32, 32)
    assert model(x).shape == (2, 7) and model(torch.rand(2, 3, 64, 64)).shape == (2, 7)
    assert tuple(seen[0]) == (side, side) and tuple(seen[1]) == (2 * side, 2 * side)
    again = models.build_model(architecture, 7, seed=0, stem="small").eval()
    assert torch.equal(model(x), again(x))


def test_the_first_layers_of_a_small_resnet_keep_the_size_of_the_image_and_those_of_a_vgg_its_weights():
    resnet = models.build_model("resnet18", 7, seed=0, stem="small")
    assert resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(torch.rand(1, 3, 32, 32))))).shape == (1, 64, 32, 32)
    small, whole = (models.build_model("vgg11", 7, seed=0, stem=stem) for stem in ("small", "imagenet"))
    assert torch.equal(small.features[0].weight, whole.features[0].weight)
    assert sum(p.numel() for p in small.parameters()) < 0.1 * sum(p.numel() for p in whole.parameters())


def test_a_small_stem_is_refused_where_it_is_not_known():
    with pytest.raises(ValueError, match="stem = 'small' of a DenseNet; expected 'imagenet', or a VGG or ResNet"):
        models.build_model("densenet121", 7, seed=0, stem="small")


def fit(seed=0, **changes):
    images, labels = torch.rand(40, 3, 30, 30, generator=torch.Generator().manual_seed(1)), torch.arange(40) % 2
    images[labels == 1, 0] += 1
    model = models.build_model("small-vgg", 2, seed=3)
    settings = {"epochs": 6, "batch_size": 16, "learning_rate": 3e-3} | changes
    stops = [
        (epoch, model.classifier[0].bias.clone())
        for epoch in training.train(model, images, labels, seed=seed, **settings)
    ]
    return model, images, labels, stops


def test_training_learns_and_stops_where_it_is_told_to():
    model, images, labels, stops = fit(stops=(0, 0.3, 1, 2.5, 6))
    assert [epoch for epoch, _ in stops] == [0, 0.3, 1, 2.5, 6]
    assert all(not torch.equal(a[1], b[1]) for a, b in zip(stops, stops[1:]))
    loss, accuracy = training.evaluate(model, images, labels)
    assert accuracy > 0.9 and loss < 0.6


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_same_seed_trains_the_same_network(optimizer):
    first, again, other = (fit(seed, epochs=1, optimizer=optimizer)[-1][-1][1] for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_augmentation_and_precision_change_the_training_and_nothing_else_does():
    plain = fit(epochs=1)[-1][-1][1]
    assert torch.equal(plain, fit(epochs=1, augment="none", precision="float32")[-1][-1][1])
    for changes in ({"augment": "crop-flip"}, {"augment": "resized-crop-flip"}, {"precision": "bfloat16"}):
        changed = fit(epochs=1, **changes)[-1][-1][1]
        assert torch.equal(changed, fit(epochs=1, **changes)[-1][-1][1])
        assert not torch.equal(changed, plain) and changed.dtype == torch.float32
    assert (changed - plain).abs().mean() < 1e-3  # bfloat16: nearly the same steps, of 3e-3 each


def test_the_objective_is_taken_in_float32_and_given_the_batch_in_the_same_order_with_augmentation():
    batches = {}

    def spy(name):
        def objective(z, batch):
            batches.setdefault(name, []).append((z.dtype, batch.tolist()))
            return z.square().mean()

        return objective

    for name, changes in (("plain", {}), ("changed", {"augment": "crop-flip", "precision": "bfloat16"})):
        fit(epochs=2, objective=spy(name), **changes)
    assert batches["plain"] == batches["changed"] and batches["plain"][0][0] == torch.float32


def test_large_images_are_evaluated_a_few_at_a_time(monkeypatch):
    """The losses are the same, whatever is evaluated at a time."""
    model, images, labels, _ = fit(epochs=1)
    sizes = []
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    whole = training.evaluate(model, images, labels)
    monkeypatch.setattr(loop, "EVALUATED", 7 * images[0].numel() + 1)
    assert training.evaluate(model, images, labels) == pytest.approx(whole, abs=1e-6)
    assert sizes == [40, 7, 7, 7, 7, 7, 5]


def test_looking_does_not_change_the_training():
    assert torch.equal(fit(stops=(3,))[-1][-1][1], fit(stops=(0, 1, 2, 3))[-1][-1][1])
