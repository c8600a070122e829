"""Networks by name, and the training loop."""

from itertools import chain

import pytest
import torch
from torch import nn

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
    with pytest.raises(ValueError, match="architecture = 'resnet19' is unknown; did you mean 'resnet1"):
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


@pytest.mark.parametrize("architecture", ["resnet18", "vgg11"])
def test_a_small_stem_is_drawn_from_the_seed(architecture):
    x = torch.rand(2, 3, 32, 32)
    one, again, other = (models.build_model(architecture, 7, seed, stem="small").eval()(x) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


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


@pytest.mark.parametrize(("optimizer", "weight"), [("sgd", 0.5725), ("adam", 0.8001), ("adamw", 0.7075)])
def test_two_steps_of_each_optimizer_by_hand(optimizer, weight):
    """From 1, of a gradient that is always 1: momentum 0.9, and weight decay in the gradient or beside it."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    settings = {"epochs": 2, "batch_size": 1, "learning_rate": 0.1, "weight_decay": 0.5, "optimizer": optimizer}
    data = torch.ones(1, 1), torch.zeros(1).long()
    list(training.train(model, *data, seed=0, objective=lambda z, batch: z.sum(), **settings))
    assert model.weight.item() == pytest.approx(weight, abs=5e-5)


def images_seen(seed=0, items=1, stops=(), **settings):
    """The batches that enter a network that is evaluated at every stop, whether it trains, and steps until each stop."""
    model, seen, modes, steps = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), [], [], {}
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    images = torch.rand(items, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    settings = {"epochs": 4, "batch_size": 2, "learning_rate": 0.1, "stops": stops} | settings
    for epoch in training.train(model, images, torch.zeros(items).long(), seed=seed, **settings):
        steps[epoch] = len(seen)
        model.eval()
    return torch.cat(seen), modes, steps


def test_a_network_is_trained_in_training_mode_and_stops_after_the_steps_of_its_epochs():
    _, modes, steps = images_seen(items=5, stops=(0, 0.3, 1, 2.5, 4))
    assert all(modes) and steps == {0: 0, 0.3: 1, 1: 3, 2.5: 8, 4: 12}  # three an epoch, the last of one image


def test_the_seed_is_that_of_the_augmentation_as_well():
    first, again, other = (images_seen(seed, augment="crop-flip")[0] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_what_is_predicted_and_evaluated_knows_no_dropout():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 2))
    images, labels = torch.rand(9, 3, 2, 2), torch.arange(9) % 2
    expected = model.eval()(images)
    assert torch.equal(training.predicted(model.train(), images), expected)
    loss = nn.functional.cross_entropy(expected.double(), labels).item()
    assert training.evaluate(model.train(), images, labels)[0] == pytest.approx(loss)


def test_every_epoch_trains_on_every_item_once_in_another_order():
    batches, model = [], nn.Linear(2, 2)

    def objective(z, batch):
        batches.append(batch.tolist())
        return z.sum()

    settings = {"epochs": 3, "batch_size": 4, "learning_rate": 0.1, "seed": 0, "objective": objective}
    list(training.train(model, torch.rand(10, 2), torch.zeros(10, dtype=torch.long), **settings))
    epochs = [[*chain(*batches[i : i + 3])] for i in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
