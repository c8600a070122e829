"""The studies of photographs, each from its own file, on a handful of made-up images: data, training, extraction."""

import made_up_sets
import numpy as np
import pytest
import torch

from symgen import ImageGame, Study, log_odds
from symgen.games.variables import cell_map
from symgen.study import pipeline
from symgen.study.samples import _loaded
from symgen.training.models import build_model

NETWORKS = {  # study -> classes of the made-up set, and the class of network that is trained
    "cifar10-vgg11": (10, "VGG"),
    "cifar10-vgg11-small": (10, "VGG"),
    "fewshot-resnet18": (10, "ResNet"),
    "tiny-imagenet-vgg16": (2, "VGG"),
    "tiny-imagenet-vgg19": (2, "VGG"),
    "tiny-imagenet-resnet50": (2, "ResNet"),
    "tiny-imagenet-resnet101": (2, "ResNet"),
    "cub-vgg16": (2, "VGG"),
}
DEEPER = {  # study -> that of a network less deep
    "tiny-imagenet-vgg19": "tiny-imagenet-vgg16",
    "tiny-imagenet-resnet101": "tiny-imagenet-resnet50",
}


@pytest.fixture
def handful(tmp_path, tiny, monkeypatch):
    """Overrides that leave a study its network, its training and its cut."""
    made_up_sets.cifar10(tmp_path / "data", monkeypatch)
    made_up_sets.tiny_imagenet(tmp_path / "data", per_class=14, size=32)
    made_up_sets.cub(tmp_path / "data", per_class=20)
    return tiny | {
        "data_root": str(tmp_path / "data"), "image_size": 32, "train_size": 8, "validation_size": 4, "test_size": 8,
        "batch_size": 4, "epochs": 1, "checkpoints": [0, 1], "explain_per_class": 1, "n_variables": 3,
    }  # fmt: skip


def by_hand(network, cut, x, label, cells, mean_map):
    """Log-odds with all the variables' cells masked, through a hook on the first call of the cut."""
    calls = []

    def mask(module, inputs, output):
        calls.append(1)
        position = torch.as_tensor(cell_map(*output.shape[-2:], 5))
        masked = torch.isin(position, torch.as_tensor(cells))
        return torch.where(masked, mean_map, output) if len(calls) == 1 else output

    handle = network.get_submodule(cut).register_forward_hook(mask)
    with torch.no_grad():
        v = log_odds(network(x[None]), torch.tensor([label]))
    handle.remove()
    return float(v)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in DEEPER])
def test_a_study_of_photographs_runs_from_its_file(name, handful):
    small = {"stem": "small"} if name == "cub-vgg16" else {}  # its own network has half a gigabyte of weights
    study = Study.load(name, handful | small)
    classes, kind = NETWORKS[name]
    trained = pipeline.ensure_training(study, "target-91")
    network = trained.model(1)
    assert type(network).__name__ == kind and not network.training
    assert trained.curves.epoch.tolist() == [0, 1] and trained.curves.seconds.diff()[1] > 0
    samples, interactions = pipeline.ensure_samples(study), pipeline.ensure_interactions(study, "target-91", 1)
    data = pipeline.task(study)
    mean_map = pipeline.study_game(study, "target-91", network).baseline
    assert len(data.data.classes) == classes and len(samples) == 4 and interactions.gap.max() <= study.tol
    for x, label, cells, v in zip(  # relative: two steps leave running means that let outputs explode
        data.samples(samples.item), samples.label, data.variables(samples), interactions.v.to_numpy()
    ):
        with torch.no_grad():
            plain = float(log_odds(network(x[None]), torch.tensor([label])))
        assert v[-1] == pytest.approx(plain, rel=1e-5, abs=1e-4)
        assert v[0] == pytest.approx(by_hand(network, study.cut_at, x, label, cells, mean_map), rel=1e-5, abs=1e-4)
    assert interactions.v.to_numpy().std() > 0 and np.isfinite(interactions.effects).all()
    assert pipeline.ensure_interactions(study, "baseline-93", "best").v.shape == (4, 8)


@pytest.mark.parametrize(("name", "like"), DEEPER.items())
def test_a_study_of_a_deeper_network_is_that_of_another_but_for_the_network(name, like):
    deeper, other = Study.load(name), Study.load(like)
    changed = {key for key, value in deeper if value != getattr(other, key)}
    assert {"name", "architecture"} <= changed <= {"name", "architecture", "penalty_weight"}
    network = build_model(deeper.architecture, 2, seed=0, stem=deeper.stem).eval()
    assert type(network).__name__ == NETWORKS[name][1]
    images, cells = torch.rand(2, 3, 32, 32), [3, 7, 11]
    game = ImageGame(network, deeper.cut_at, baseline=images)
    with torch.no_grad():
        plain = float(log_odds(network(images[:1]), torch.tensor([1])))
    v = game.values(images[0], 1, cells)
    assert v[-1] == pytest.approx(plain, rel=1e-5, abs=1e-4)
    assert v[0] == pytest.approx(
        by_hand(network, deeper.cut_at, images[0], 1, cells, game.baseline), rel=1e-5, abs=1e-4
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_study_has_the_papers_samples_and_variables(name):
    study = Study.load(name)
    assert study.explain_classes * study.explain_per_class == 100
    assert study.n_variables == 10 and study.grid == 5 and study.masking == "mean" and study.baseline_on == "B"


def test_parts_fit_into_the_published_sets():
    """60,000 images of 10 classes; 550 of each of 200; 41 or more of each of 200."""
    labelled = {"cifar10": 60_000, "tiny-imagenet": 200 * 550, "cub": 200 * 41}
    for name in NETWORKS:
        study = Study.load(name)
        taken = 3 * study.train_size + 2 * study.validation_size + study.test_size
        assert taken <= labelled[study.dataset]
        classes = 10 if study.dataset == "cifar10" else 200
        assert min(study.train_size, study.test_size) // classes >= study.explain_per_class


def test_bfloat16_needs_a_gpu(handful):
    study = Study.load("cifar10-vgg11", handful | {"precision": "bfloat16", "device": "cpu"})
    with pytest.raises(ValueError, match="precision = 'bfloat16' on cpu; expected 'float32', or a GPU"):
        pipeline.ensure_training(study, "target-91")


def test_decoded_images_are_shared_by_studies_and_kept_with_their_runs(handful, tmp_path):
    first = Study.load("tiny-imagenet-vgg16", handful)
    pipeline.load_data(first)
    kept = list((tmp_path / "runs" / "decoded").glob("*.safetensors"))
    _loaded.cache_clear()
    pipeline.load_data(Study.load("tiny-imagenet-resnet50", handful))
    assert len(kept) == 1 and list((tmp_path / "runs" / "decoded").glob("*.safetensors")) == kept
