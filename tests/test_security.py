"""Nothing from outside is run: what may load what, and archives that would like to write elsewhere."""

import ast
import dataclasses
import io
import json
import re
import subprocess
import tarfile

import made_up_sets
import pytest
import yaml
from tiny_project import ROOT

from symgen.data import image_sets
from symgen.data import sources as published
from symgen.errors import InputError
from symgen.report.readme import EMBEDDED
from symgen.study._files import OneOfEachKey
from symgen.training import load_model

SOURCES = sorted((ROOT / "lib").rglob("*.py"))
RUNS_CODE = ("eval", "exec", "compile", "__import__")
LOADS_CODE = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "read_pickle"}


def argument(call, name):
    """A keyword argument of a call, as it is written; None if it is not given."""
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == name), None)


def dangerous(tree):
    """What could run code that a file brings along, as it is written."""
    for node in ast.walk(tree):
        imports = isinstance(node, (ast.Import, ast.ImportFrom))
        if imports and set(re.findall(r"\w+", ast.unparse(node))) & LOADS_CODE:
            yield ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if (
            called in RUNS_CODE
            or called.rpartition(".")[2] in LOADS_CODE
            or (called == "torch.load" and argument(node, "weights_only") != "True")
            or (called in ("np.load", "numpy.load") and argument(node, "allow_pickle") == "True")
            or (called == "yaml.load" and ast.unparse(node.args[1]) != "OneOfEachKey")
            or (called.startswith("yaml.") and called.endswith(("full_load", "unsafe_load", "load_all")))
            or argument(node, "trust_remote_code") not in (None, "False")
        ):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "pd.read_pickle(path)", "torch.load(path)", "eval(text)",
        "torch.load(path, weights_only=False)", "np.load(path, allow_pickle=True)", "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)", "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_what_is_dangerous_is_found(line):
    assert list(dangerous(ast.parse(line))) == [line]


def test_nothing_in_the_library_is_dangerous():
    lines = [(path.stem, line) for path in SOURCES for line in dangerous(ast.parse(path.read_text()))]
    assert len(SOURCES) > 30
    assert lines == []
    assert issubclass(OneOfEachKey, yaml.SafeLoader)


def test_a_model_that_brings_code_is_not_loaded(tmp_path):
    harm = tmp_path / "harm"
    (tmp_path / "own.py").write_text(f"import os\nos.mkdir({str(harm)!r})\n")
    classes = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": classes}))
    with pytest.raises(ValueError, match=r"cannot be loaded: .* contains custom code"):
        load_model(str(tmp_path))
    assert not harm.exists()


def linked(path, kind, target):
    """A tar archive with a link, and a file behind it."""
    with tarfile.open(path, "w:gz") as opened:
        link = tarfile.TarInfo("CUB_200_2011/link")
        link.type, link.linkname = kind, str(target)
        opened.addfile(link)
        file = tarfile.TarInfo("CUB_200_2011/link/outside.txt" if kind == tarfile.SYMTYPE else link.name)
        file.size = 4
        opened.addfile(file, io.BytesIO(b"harm"))
    return made_up_sets.hashlib.md5(path.read_bytes()).hexdigest()


FINE = {"tiny-imagenet-200/fine.txt": b"fine", "CUB_200_2011/fine.txt": b"fine"}
HOSTILE = {
    "a name above": lambda path, pack, aim: pack(path, FINE | {"../../outside.txt": b"harm"}),
    "an absolute name": lambda path, pack, aim: pack(path, FINE | {str(aim): b"harm"}),
    "a symbolic link": lambda path, pack, aim: linked(path, tarfile.SYMTYPE, aim.parent),
    "a hard link": lambda path, pack, aim: linked(path, tarfile.LNKTYPE, aim),
}


CASES = [("cub", case) for case in HOSTILE] + [("tiny-imagenet", case) for case in HOSTILE if "link" not in case]


@pytest.mark.parametrize(("name", "hostile"), CASES)
def test_an_archive_writes_nothing_outside_its_folder_whatever_it_holds(tmp_path, name, hostile):
    (place := tmp_path / "data").mkdir()
    aim, source = tmp_path / "outside.txt", image_sets.SOURCES[name]
    archive = place / source.url.rpartition("/")[2]
    pack = made_up_sets.zipped if archive.suffix == ".zip" else made_up_sets.tarred
    if hostile == "a hard link":
        aim.write_bytes(b"mine")
    md5 = HOSTILE[hostile](archive, pack, aim)  # as if it were the published one
    if archive.suffix == ".zip" or hostile == "an absolute name":  # what is meant for outside is written inside
        published._download(dataclasses.replace(source, md5=md5), place)
        assert (place / source.folder / "fine.txt").read_bytes() == b"fine"
    else:
        with pytest.raises(InputError, match=r"outside|link"):
            published._download(dataclasses.replace(source, md5=md5), place)
    assert not aim.exists() or aim.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} <= {"data", aim.name}


def test_pictures_and_words_of_samples_are_committed_of_the_embedded_data_alone():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "figures"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = re.findall(
        r"^figures/(.+)/fig(?:01_explanation|07_prompt_\w+|0[89]_input_variables)\.png$", listed, flags=re.M
    )
    assert set(EMBEDDED) <= set(shown) <= {*EMBEDDED, "smollm2", "smollm2-gemma3"}  # of the paper's prompts
