"""Tiny language models of several kinds, with random weights, and a tokenizer that they share."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

PROMPT = "A warm film: warm and unfunny, but the KN95 masks and N95 masks keep a dull film"
TEXTS = [PROMPT, "The actors keep warm in a charming film.", "Dull masks keep a film warm, dull and charming."]
VARIABLES = ["masks keep", "warm", "unfunny", "N95", "film"]
SIZES = {"vocab_size": 330, "hidden_size": 32, "num_hidden_layers": 2}
WIDE = SIZES | {"num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64}
CONFIGS = {
    "Qwen2": lambda: transformers.Qwen2Config(**WIDE, num_key_value_heads=1),
    "Llama": lambda: transformers.LlamaConfig(**WIDE, num_key_value_heads=1),
    "Gemma3": lambda: (
        transformers.Gemma3TextConfig(  # five layers that look back as far as 8 tokens, and one at everything
            **WIDE | {"num_hidden_layers": 6}, num_key_value_heads=1, head_dim=16, sliding_window=8
        )
    ),
    "GPT2": lambda: transformers.GPT2Config(vocab_size=330, n_embd=32, n_layer=2, n_head=2, n_positions=64),
    "GPTNeoX": lambda: transformers.GPTNeoXConfig(**WIDE),
    "Mamba": lambda: transformers.MambaConfig(**SIZES, state_size=4),  # without keys and values
    # with keys and values, and with states that cannot be shared
    "Lfm2": lambda: transformers.Lfm2Config(**WIDE, num_key_value_heads=1, layer_types=["conv", "full_attention"]),
    "FalconH1": lambda: transformers.FalconH1Config(
        **WIDE,
        num_key_value_heads=1,
        mamba_d_ssm=32,
        mamba_n_heads=4,
        mamba_d_head=8,
        mamba_d_state=4,
        mamba_n_groups=1,
    ),
}


def noisy(model):
    """The model, far from its tame beginning, so that masking shows."""
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def bytes_tokenizer(special=("<s>", "<pad>")):
    """Byte pairs, a space at the beginning of a word, and a token before the text, as most language models have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, special_tokens=list(special))
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>")
