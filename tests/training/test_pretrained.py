"""Language models as packages bring them: GGUF files, whole or in parts, of tiny random models of three architectures."""

import importlib
import json
from importlib.util import find_spec

import gguf
import numpy as np
import pytest
import torch
import transformers
from tiny_language_models import CONFIGS, TEXTS, bytes_tokenizer

from symgen import CausalLMGame, InputError
from symgen.training import load_model, pretrained

LONG = "A warm film: warm and unfunny, but dull"  # longer than what most layers of Gemma-3 look back
ARCHITECTURES = {"Llama": "llama", "Gemma3": "gemma3", "Qwen2": "qwen2"}  # names of `transformers`, and of GGUF
FILE = "tiny.gguf"


def gemma_tokens():
    """Pieces as SentencePiece spells them: letters, and whole words with what leads to them."""
    words = ["▁warm", "▁film", "▁masks"]
    begun = [word[:size] for word in words for size in range(2, len(word) + 1)]
    letters = sorted({letter for text in TEXTS for letter in text.replace(" ", "▁")})
    return ["<pad>", "<eos>", "<bos>", "<unk>", *letters, *dict.fromkeys(begun)]


def add_tokenizer(writer, name, size):
    """The tokenizer's part of a GGUF file, its vocabulary filled up to `size`."""
    if name == "Gemma3":
        tokens, (bos, pad) = gemma_tokens(), (2, 0)
        writer.add_tokenizer_model("llama")
        writer.add_add_bos_token(True)
        writer.add_add_space_prefix(False)
        writer.add_unk_token_id(3)
    else:
        tokenizer = bytes_tokenizer()
        by_id = {i: token for token, i in tokenizer.get_vocab().items()}
        tokens, (bos, pad) = [by_id[i] for i in range(len(by_id))], (tokenizer.bos_token_id, tokenizer.pad_token_id)
        merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
        writer.add_tokenizer_model("gpt2")
        writer.add_token_merges([" ".join(pair) for pair in merges])
    tokens += [f"<unused{i}>" for i in range(size - len(tokens))]
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * size)
    control = {bos, pad}
    writer.add_token_types([3 if i in control or token.startswith("<unused") else 1 for i, token in enumerate(tokens)])
    writer.add_bos_token_id(bos)
    writer.add_pad_token_id(pad)


def stored(name, key, tensor, heads):
    """A weight as llama.cpp writes it: halves of Llama's heads interleaved, Gemma's norms one higher."""
    if name == "Llama" and ("q_proj" in key or "k_proj" in key):
        n_heads = heads[0] if "q_proj" in key else heads[1]
        return tensor.reshape(n_heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
    return tensor + 1 if name == "Gemma3" and "norm" in key else tensor


def write_gguf(name, path):
    """A random model as a GGUF file, its matrices in eight bits where they can be; the model with the rounded weights."""
    torch.manual_seed(len(name))
    config = CONFIGS[name]()
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    writer = gguf.GGUFWriter(path, ARCHITECTURES[name])
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if name == "Gemma3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_sliding_window(config.sliding_window)
        writer.add_rope_freq_base(1e6)
    add_tokenizer(writer, name, config.vocab_size)
    names = gguf.get_tensor_name_map(
        {text: arch for arch, text in gguf.MODEL_ARCH_NAMES.items()}[ARCHITECTURES[name]], config.num_hidden_layers
    )
    tied = config.tie_word_embeddings
    for key, parameter in model.state_dict().items():
        if tied and key == "lm_head.weight":
            continue
        parameter.data += 0.3 * torch.randn_like(parameter)  # far from the tame beginning
        weights = stored(name, key, parameter.numpy(), (config.num_attention_heads, config.num_key_value_heads))
        if weights.ndim == 2 and weights.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            packed = gguf.quants.quantize(np.ascontiguousarray(weights), kind)
            rounding = gguf.quants.dequantize(packed, kind) - weights
            assert 0 < np.abs(rounding).max() < 0.02
            if name == "Llama" and ("q_proj" in key or "k_proj" in key):  # back in the order of `transformers`
                heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
                rounding = rounding.reshape(heads, -1, 2, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)
            parameter.data += torch.from_numpy(np.ascontiguousarray(rounding))
            writer.add_tensor(names.get_name(key, (".weight", ".bias")), packed, raw_dtype=kind)
        else:
            writer.add_tensor(names.get_name(key, (".weight", ".bias")), np.ascontiguousarray(weights, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages, and a project without models."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(pretrained, "project_root", lambda: tmp_path)
    return tmp_path / "site"


def add_package(site, name, pieces=(), required=()):
    """A package with files in it, and what it requires."""
    (site / name / "data").mkdir(parents=True)
    (site / name / "__init__.py").write_text("raise RuntimeError('a package of weights is not imported')")
    for file, content in dict(pieces).items():
        (site / name / "data" / file).write_bytes(content)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {other}" for other in required]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *lines]))
    importlib.invalidate_caches()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_model_in_a_package_is_what_was_packed(name, site, tmp_path):
    expected = write_gguf(name, tmp_path / FILE)
    add_package(site, f"tiny_{name.lower()}", {FILE: (tmp_path / FILE).read_bytes()})
    model, tokenizer = load_model(f"tiny_{name.lower()}/{FILE}")
    assert type(model) is type(expected) and model.dtype == torch.float32 and not model.training
    ids = tokenizer(LONG, return_tensors="pt")["input_ids"]
    assert ids.shape[1] > 8 and tokenizer.is_fast and tokenizer.decode(ids[0], skip_special_tokens=True) == LONG
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, expected(ids).logits, atol=1e-4, rtol=1e-4)
    v = CausalLMGame(model, tokenizer).values(LONG, 5, ["warm", "film"])
    assert len(np.unique(v.round(4))) == 4  # every word matters


def test_the_pieces_of_a_file_are_joined_once(site, tmp_path, monkeypatch):
    write_gguf("Gemma3", tmp_path / FILE)
    packed = (tmp_path / FILE).read_bytes()
    cuts = [0, 1000, len(packed) // 2, len(packed)]
    for k in range(3):
        add_package(site, f"joined_part{k + 1}", {f"{FILE}.part0{k}": packed[cuts[k] : cuts[k + 1]]})
    add_package(site, "joined", required=["numpy", *(f"joined-part{k}==1.0" for k in (1, 2, 3))])
    model, tokenizer = load_model(f"joined/{FILE}")
    assert tokenizer.convert_ids_to_tokens(tokenizer("warm film")["input_ids"])[-1] == "▁film"
    left = {path.name for path in (tmp_path / "data" / "models" / "joined").iterdir()}
    assert left == {"tiny", ".tiny.lock"}  # nothing of the packed file stays
    monkeypatch.setattr(pretrained, "_unpack", None)
    again, _ = load_model(f"joined/{FILE}")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))


def test_files_of_one_name_in_two_packages_are_two_models(site, tmp_path):
    write_gguf("Gemma3", tmp_path / FILE)
    packed = (tmp_path / FILE).read_bytes()
    add_package(site, "one", {FILE: packed})
    load_model(f"one/{FILE}")
    with pytest.raises(InputError, match=r"tiny\.gguf comes with the package another"):
        load_model(f"another/{FILE}")


def test_pieces_are_joined_in_the_order_of_their_numbers(site):
    add_package(site, "many", required=[f"many-part{k}==1.0" for k in (10, 2, 1, 11)])
    assert pretrained._parts("many") == ["many_part1", "many_part2", "many_part10", "many_part11"]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\xff" * 64], ids=["empty", "a page", "noise"])
def test_a_damaged_model_is_named(site, tmp_path, content):
    transformers.AutoModelForCausalLM.from_config(CONFIGS["Llama"]()).save_pretrained(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="broken"):
        load_model("broken")


def test_what_is_missing_is_named_with_its_remedy(site, monkeypatch):
    add_package(site, "whole", required=["whole-part1==1.0"])
    with pytest.raises(ValueError, match=r"missing model: a.gguf comes with the package whole_part1; `make llm`"):
        load_model("whole/a.gguf")
    add_package(site, "whole_part1", {"b.gguf.part00": b""})
    with pytest.raises(ValueError, match=r"the package whole holds no a.gguf; `make llm` installs the one that does"):
        load_model("whole/a.gguf")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None if name == "accelerate" else find_spec(name))
    with pytest.raises(ValueError, match=r"a.gguf is unpacked by the package accelerate; `make llm` installs it"):
        load_model("whole/a.gguf")
    with pytest.raises(ValueError, match=r"model 'a.gguf'; expected <package>/<file>.gguf"):
        load_model("a.gguf")
    assert not (pretrained.project_root() / "data" / "models" / "whole" / "a").exists()
