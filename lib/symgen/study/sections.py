"""The settings of a study, section by section: their types, their limits, their defaults."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=10**18)]
Seeds = Annotated[tuple[Seed, ...], Field(strict=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Epochs = Annotated[tuple[NotNegative, ...], Field(strict=False)]
Masking = Literal["mean", "zero", "mask", "pad", "unk", "mean-embedding"]


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


class Data(Section):
    """Which samples are in parts A, B, C, D."""

    dataset: str
    """name of the data set: fashion-mnist-6k, cifar10, tiny-imagenet, cub (images); movie-snippets, sst2, ag-news (texts);
    movie-sentences, product-sentences, unilaw-questions (prompts); squad, unilaw (prompts for models that are given)"""
    train_size: Count
    """items (images or texts) in A, and in the training parts of B and C"""
    validation_size: Amount
    """items beside B (and C) that choose a baseline's best checkpoint"""
    test_size: Count
    """items in D, on which nothing is trained (unless baseline_on: D)"""
    split_seed: Seed
    """of the split"""
    pad: Amount = 0
    """images: pixels added on each side"""
    least_rating: NotNegative = 0.0
    """texts rated by people: those nearer to a neutral rating are left out"""
    max_characters: Amount = 0
    """questions: longer ones are left out; 0: no limit"""
    chat: str = "{question}\n{answer}"
    """questions: how a model reads one and its answer"""
    vocabulary_min_count: Count = 2
    """texts: a word of A is in the vocabulary if it occurs so often"""
    max_tokens: Count = 64
    """texts: tokens that a network reads; what is longer is cut, but for questions, which have to be shorter"""
    init: str = "scratch"
    """texts: scratch, or the encoder that networks start from, with its vocabulary: a folder, <package>/<folder>, or a name
    of the Hugging Face hub; prompts: scratch, or the language model that is fine-tuned, also <package>/<file>.gguf"""
    image_size: Count = 64
    """images read from files: side of the square to which they are resized, in pixels"""


class Training(Section):
    """How a network is trained."""

    architecture: str
    """small-vgg, a classifier of torchvision, bert-<layers>x<width>, gpt2-.., llama-.., or given, of a language model that
    is fine-tuned"""
    stem: Literal["imagenet", "small"] = "imagenet"
    """networks of torchvision: as they are, or with a first layer (ResNet) and head (VGG) for images of 32 to 64 pixels"""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """how the weights are moved"""
    learning_rate: Positive
    """step size of the optimizer"""
    weight_decay: NotNegative = 0.0
    """weight decay of the optimizer"""
    batch_size: Count
    """items in a step"""
    epochs: Count
    """length of the training"""
    augment: Literal["none", "crop-flip", "resized-crop-flip"] = "none"
    """images: how they are changed each time that they are learned from"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the layers while a network trains, on a GPU; whatever is measured is measured in float32"""


class Networks(Section):
    """Which networks there are, and at which checkpoints they are kept."""

    checkpoints: Epochs
    """epochs at which the target is kept; 0 is the untrained network"""
    target_seeds: Seeds
    """a target network for each"""
    baseline_seeds: Seeds
    """a baseline network for each"""
    baseline_architecture: str = ""
    """of the networks that judge; by default that of the target"""
    baseline_on: Literal["B", "D"] = "B"
    """the part that trains the baselines"""
    baseline_checkpoint: Literal["best", "last"] = "best"
    """at which the baselines judge"""


class Samples(Section):
    """Samples to explain, and their input variables."""

    explain_classes: Count = 10
    """classes, drawn at random"""
    explain_per_class: Count = 10
    """items of each class, from A and as many from D; of models that are given, how many questions of SQuAD"""
    explain_seed: Seed
    """of the samples"""
    n_variables: Count = 10
    """n: all 2^n masked inputs are evaluated"""
    variables_seed: Seed = 0
    """of the variables"""
    written: Literal["written", "longer"] = "written"
    """which prompts of data/prompts.yaml are asked; longer: these alone, without those of a data set"""
    grid: Count = 5
    """images: cells per side of the grid on the feature map"""


class Values(Section):
    """Masked values."""

    masking: Masking
    """what masks images: mean (the mean map) or zero; prompts: mean-embedding, pad or unk; texts: these, or mask"""
    cut: str = ""
    """images: submodule whose output is masked; by default the first ReLU where it is known"""


class Given(Section):
    """Language models that are given, not trained (notebooks 09 and 10): folders, or names of the Hugging Face hub."""

    target_model: str = ""
    """whose interactions are judged"""
    baseline_model: str = ""
    """which judges"""
    baseline_masking: str = ""
    """by default that of the target"""
    untrained: bool = False
    """both with weights drawn at random in place of their own: a control"""
    longer_variables: Amount = 0
    """with how many variables the longer prompts are asked as well, a check; 0: they are not"""
    other_judge: str = ""
    """of a model that is fine-tuned: another model that judges it as well, as it is given (notebook 10)"""


class Solving(Section):
    """Sparse AND-OR interactions."""

    noise_bound: NotNegative = 0.04
    """largest noise, as a share of |v(all) - v(none)|"""
    ridge: Positive = 0.5
    """weight of the squared term"""
    tol: Positive = 1e-6
    """largest relative duality gap"""


class Analysis(Section):
    """What is made of interactions."""

    tau_ratio: Share = 0.05
    """salient is what is stronger than this share of the strongest"""
    generalizes_to: Literal["any", "majority", "all"] = "any"
    """how many of the baselines must have an interaction"""
    low_up_to: Count = 2
    """orders 1 to this one are low"""
    high_from: Count = 6
    """orders from this one to n are high"""
    phase_ratio: Positive = 1.0
    """r of Appendix I"""
    dynamics_per_class: Amount = 0
    """items of each class explained at every checkpoint; at the first and the last, explain_per_class are; 0: all"""
    removal_per_class: Amount = 0
    """items of each class whose loss without some interactions is measured (notebook 06); 0: explain_per_class"""
    bootstrap_draws: Count = 1000
    """behind each interval"""
    chance_draws: Annotated[int, Field(ge=2)] = 5
    """derangements of the samples behind each chance level"""
    analysis_seed: Seed = 0
    """seed of the bootstrap and of the derangements"""


class Ablations(Section):
    """Other settings, on the first target (notebook 08)."""

    more_baseline_seeds: Seeds = ()
    """baselines beside the study's own, to see how many are needed"""
    second_seeds: Seeds = (31,)
    """baselines of the second family, trained on C"""
    shuffled_seeds: Seeds = ()
    """networks trained on B with its labels shuffled, the negative control"""
    ablation_per_class: Amount = 1
    """items of each class behind each changed setting, half of them for more_variables; 0: no ablations"""
    more_variables: Count = 12
    """another n"""
    other_masking: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """other values of masking"""
    other_cut: str = ""
    """another cut"""


class Penalised(Section):
    """Training with the penalty (Appendix K), and its controls (notebook 07)."""

    penalty_weight: NotNegative = 0.1
    """nats for a log-odds of strength that does not generalize; 0: no training with the penalty"""
    penalty_factors: Annotated[tuple[Positive, ...], Field(strict=False)] = (1 / 3, 3.0)
    """further weights, in multiples of penalty_weight, whose networks are compared in a curve"""
    penalty_samples: Count = 2
    """of a batch"""
    penalty_every: Count = 4
    """steps from one penalty to the next"""
    penalty_variables: Count = 6
    """of a penalised sample"""
    distillation: Share = 0.5
    """share of the baselines' soft labels in the loss"""
    decay: NotNegative = 1.0
    """weight decay, decoupled from the gradient where the optimizer is adam"""
    dropout: Share = 0.3
    """share that is dropped"""
    arms_per_class: Amount = 0
    """items of each class that are explained of networks trained in different ways; 0: half of explain_per_class"""
    arms_networks: Amount = 0
    """networks trained in each way, with the first target seeds; 0: as many as there are targets; half of them with weight
    decay, dropout, and further weights of the penalty"""
    few_shot_size: Amount = 200
    """items to train on when there are few; 0: ways to train are compared with all of them alone"""


class Tuning(Section):
    """Fine-tuning on another domain (Appendix P, notebook 10); `Study.tuned` is the study of it."""

    tuning_dataset: str = ""
    """that the networks go on with; none without it"""
    tuning_from: NotNegative = 0.0
    """epoch of the target at which its fine-tuning starts, one of its checkpoints"""
    tuning_size: Count = 1000
    """train_size there"""
    tuning_validation_size: Amount = 100
    """validation_size there"""
    tuning_test_size: Count = 400
    """test_size there"""
    tuning_learning_rate: Positive = 1e-3
    """learning_rate there"""
    tuning_epochs: Count = 4
    """epochs there"""
    tuning_checkpoints: Epochs = (0.0, 1.0, 2.0, 4.0)
    """checkpoints there"""


class Places(Section):
    """Where things are, and how they run: nothing that a result depends on but for its last digits."""

    data_root: str | None = None
    """folder of all data; by default data/ for the embedded sets, $SYMGEN_DATA, else data/, for all others"""
    download: bool = False
    """fetch images, texts and models that are missing from where they are published; no prompts"""
    runs_root: str = "data/runs"
    """folder of what is computed"""
    figures_root: str = "figures"
    """folder of the figures"""
    device: str = "auto"
    """auto, cpu, cuda or cuda:<number>; a network trained on another device is another draw, as from another seed"""
    threads: Count = 1
    """threads of a process that trains or extracts; fixed, so that sums are taken in the same order everywhere"""
    roles_per_job: Count = 1
    """networks that one job trains and extracts"""
    checkpoints_per_job: Amount = 0
    """checkpoints that one job extracts; 0: all, in the job that trains the network"""


SECTIONS = (Data, Training, Networks, Samples, Values, Given, Solving, Analysis, Ablations, Penalised, Tuning, Places)
