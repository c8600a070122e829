"""The same networks have the same interactions on a CPU and on a GPU, within a stated tolerance; without one this skips."""

import numpy as np
import pytest
import torch

from symgen import Study, sparse_and_or
from symgen.study import devices, pipeline

SAME_V, SAME_EFFECTS = 1e-5, 5e-3  # of the largest |v| of a sample


def worst(solution, expected, v):
    """The largest difference of a sample, as a share of its largest |v|."""
    differences = np.abs(solution - expected).reshape(len(v), -1).max(axis=1)
    return (differences / np.abs(v).max(axis=1)).max()


def solved(v, study):
    solution = sparse_and_or(v, noise_bound=study.noise_bound, ridge=study.ridge, tol=study.tol)
    return solution.effects.cpu().numpy()


def extracted(study, device, state):
    """Masked values and interactions of a target with given weights, computed on a device."""
    study = study.replace(device=device)
    kind, samples = pipeline.task(study), pipeline.ensure_samples(study)
    model = pipeline.untrained(study, seed=0).eval()
    model.load_state_dict(state)
    with devices.arithmetic(study):
        game = pipeline.study_game(study, study.targets[0], model)
        each = zip(kind.samples(samples.item), samples.label.tolist(), kind.variables(samples))
        v = np.stack([game.values(*sample) for sample in each])
        return v, solved(torch.as_tensor(v, device=device), study)


@pytest.fixture(params=["fashion-vgg", "snippets-bert"])
def trained(request, shared):
    study = Study.load(request.param, shared | {"device": "cpu"})
    state = pipeline.ensure_training(study, study.targets[0]).model(2.0).state_dict()
    return study, state, extracted(study, "cpu", state)


def test_the_rounding_of_masked_values_moves_interactions_by_less_than_the_tolerance(trained, rng):
    study, state, (v, effects) = trained
    again, same = extracted(study, "cpu", state)
    assert np.array_equal(again, v) and np.array_equal(same, effects)
    rounded = v * (1 + 1e-6 * rng.uniform(-1, 1, v.shape))
    assert 0 < worst(solved(torch.as_tensor(rounded), study), effects, v) < SAME_EFFECTS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch can use is here")
def test_a_gpu_gives_what_the_cpu_gives(trained):
    study, state, (v, effects) = trained
    on_gpu = extracted(study, "cuda", state)
    assert worst(on_gpu[0], v, v) < SAME_V and worst(on_gpu[1], effects, v) < SAME_EFFECTS
    again = extracted(study, "cuda", state)
    assert all(np.array_equal(*pair) for pair in zip(on_gpu, again))


def test_a_study_goes_to_a_gpu_where_there_is_one(monkeypatch):
    study = Study.load("fashion-vgg")
    for available, kind in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert devices.device(study).type == kind
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="device = 'cuda:1', but PyTorch finds 0 GPUs"):
        devices.device(study.replace(device="cuda:1"))


def test_threads_are_given_back_and_no_number_is_rounded_to_fewer_bits():
    study, before = Study.load("fashion-vgg", {"threads": 2}), torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), devices.arithmetic(study):
        assert torch.get_num_threads() == 2
        assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert torch.backends.cudnn.deterministic
        _ = 1 / 0
    assert torch.get_num_threads() == before
