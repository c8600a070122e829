"""Networks by name, and the training loop."""

import pytest
import torch

from symgen import models, training


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    first, again, other = (models.build_model("small-vgg", 10, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(state, torch.random.get_rng_state())


def test_any_classifier_of_torchvision_by_name():
    assert models.build_model("squeezenet1_1", 7, seed=0)(torch.rand(2, 3, 64, 64)).shape == (2, 7)
    with pytest.raises(ValueError, match="architecture = 'resnet19' is unknown; the nearest is 'resnet1"):
        models.build_model("resnet19", 10, seed=0)


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


def test_looking_does_not_change_the_training():
    assert torch.equal(fit(stops=(3,))[-1][-1][1], fit(stops=(0, 1, 2, 3))[-1][-1][1])
