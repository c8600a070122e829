"""Networks by name: a small VGG, torchvision's classifiers, BERTs and language models by layers and width."""

import re

import torch
from torch import nn

from symgen.errors import InputError, did_you_mean
from symgen.training.pretrained import drawn_from, from_transformers, given, loading, quiet


def build_model(architecture: str, n_classes: int, seed: int, stem: str = "imagenet") -> nn.Module:
    """An untrained network (batch, 3, height, width) -> logits (batch, n_classes), its weights drawn from `seed`.

    `architecture` is "small-vgg", or the name of a torchvision classifier; InputError for another.
    `stem`: "imagenet" is torchvision's network as it is; "small" adapts a VGG or ResNet of it (see `adapt`).
    """
    with drawn_from(seed):
        if architecture == "small-vgg":
            return SmallVGG(n_classes)
        import torchvision  # two seconds

        known = ["small-vgg", *torchvision.models.list_models(torchvision.models)]
        if architecture not in known:
            hint = did_you_mean(architecture, known) or "; expected small-vgg, or a classifier of torchvision"
            raise InputError(f"architecture = {architecture!r} is unknown{hint}")
        model = torchvision.models.get_model(architecture, weights=None, num_classes=n_classes)
        return adapt(model, n_classes) if stem == "small" else model


def adapt(model: nn.Module, n_classes: int) -> nn.Module:
    """torchvision's VGG or ResNet for images of 32 to 64 pixels; InputError for another network.

    ResNet: its first convolution is 3 x 3 without stride and its max pooling is left out, or what reaches the last block
    of an image of 32 pixels would be one position. VGG: the mean over positions and one linear layer take the place of
    three layers that hold nine tenths of the weights and expect maps of 7 x 7.
    """
    from torchvision.models import VGG, ResNet

    if isinstance(model, ResNet):
        model.conv1 = nn.Conv2d(3, model.conv1.out_channels, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision draws it
        model.maxpool = nn.Identity()
    elif isinstance(model, VGG):
        width = next(m.out_channels for m in reversed(model.features) if isinstance(m, nn.Conv2d))
        model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(width, n_classes)
    else:
        raise InputError(f"stem = 'small' of a {type(model).__name__}; expected 'imagenet', or a VGG or ResNet")
    return model


class SmallVGG(nn.Module):
    """A VGG with five narrow convolutions, for images of 30 x 30: a 3 x 3 map of 32 channels at the end."""

    def __init__(self, n_classes: int):
        super().__init__()

        def convolution(before, width):
            return nn.Conv2d(before, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)

        self.features = nn.Sequential(
            *convolution(3, 8), nn.MaxPool2d(2), *convolution(8, 16), *convolution(16, 16), nn.MaxPool2d(2),
            *convolution(16, 32), *convolution(32, 32), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(32 * 3 * 3, 64), nn.ReLU(inplace=True), nn.Linear(64, n_classes))

    def forward(self, x):
        """Logits (batch, n_classes) of images (batch, 3, 30, 30)."""
        return self.classifier(self.features(x).flatten(1))


def build_bert(architecture: str, n_classes: int, tokenizer, max_tokens: int, seed: int) -> nn.Module:
    """An untrained BERT classifier for a tokenizer's vocabulary, its weights drawn from `seed`.

    `architecture` is bert-<layers>x<width>, such as bert-2x128 ("tiny"), bert-8x512 ("medium") or bert-24x1024 ("large").
    """
    kinds = {"bert": ("BertConfig", "BertForSequenceClassification")}
    return _transformer(architecture, kinds, tokenizer, max_tokens, seed, num_labels=n_classes)


def load_bert(architecture: str, n_classes: int, name: str, max_tokens: int, seed: int, download=False) -> nn.Module:
    """A BERT classifier on a given encoder (see `given`): only the weights of its head are drawn from `seed`.

    InputError unless the encoder is a BERT in safetensors of the size that `architecture` says, and reads max_tokens.
    """
    source = given(name, download)
    configs, networks = from_transformers("AutoConfig", "BertForSequenceClassification")
    with drawn_from(seed), quiet(reports=False), loading(name):  # of the head, which is new
        config = configs.from_pretrained(**source, num_labels=n_classes)
        given_architecture = f"{config.model_type}-{config.num_hidden_layers}x{config.hidden_size}"
        if given_architecture != architecture:
            fault = f"architecture = {architecture!r}, but init = {name!r} is {given_architecture!r}"
            raise InputError(f"{fault}; expected the same")
        if max_tokens > config.max_position_embeddings:
            raise InputError(
                f"max_tokens = {max_tokens}; expected at most {config.max_position_embeddings} of {name!r}"
            )
        return networks.from_pretrained(**source, config=config, use_safetensors=True, dtype=torch.float32)


def build_language_model(architecture: str, tokenizer, max_tokens: int, seed: int) -> nn.Module:
    """An untrained causal language model for a tokenizer's vocabulary, its weights drawn from `seed`.

    `architecture` is gpt2-<layers>x<width>, with learned positions, LayerNorm and GELU, or llama-<layers>x<width>, with
    rotary positions, RMSNorm and gated layers; each embeds and predicts tokens by the same weights.
    """
    kinds = {"gpt2": ("GPT2Config", "GPT2LMHeadModel"), "llama": ("LlamaConfig", "LlamaForCausalLM")}
    ends = {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    return _transformer(architecture, kinds, tokenizer, max_tokens, seed, tie_word_embeddings=True, **ends)


def _transformer(architecture, kinds, tokenizer, max_tokens, seed, **further):
    """A network of `transformers`: <kind>-<layers>x<width>, kinds by name with the classes of configuration and network."""
    parts = re.fullmatch(rf"({'|'.join(kinds)})-([1-9]\d*)x([1-9]\d*)", architecture)
    if not parts or int(parts[3]) % 64:
        forms = " or ".join(f"{kind}-<layers>x<width>" for kind in kinds)
        raise InputError(f"architecture = {architecture!r} of texts; expected {forms}, width a multiple of 64")
    layers, width = int(parts[2]), int(parts[3])
    make_config, make_network = from_transformers(*kinds[parts[1]])
    config = make_config(
        vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
        intermediate_size=4 * width, max_position_embeddings=max_tokens, pad_token_id=tokenizer.pad_token_id, **further,
    )  # fmt: skip
    with drawn_from(seed):
        return make_network(config)
