"""Anything at all: settings, games and files are taken, or refused in one line; `--hypothesis-profile=thorough` for more."""

import dataclasses
import hashlib
import re
import shutil
from pathlib import Path

import made_up_sets
import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_project import ROOT

from symgen import Study
from symgen.data import image_sets
from symgen.data import sources as published
from symgen.errors import InputError
from symgen.interactions import sparse_and_or
from symgen.interactions.transforms import reconstruct

SETTINGS = yaml.safe_load((ROOT / "studies" / "fashion-vgg.yaml").read_text())
NAMES = sorted(Study.model_fields)


# --- Settings ------------------------------------------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(-2, 100), st.integers(), st.sampled_from([10**400, -(2**63), 2**64, -0.0, 5e-324, 1e308]), st.floats()
)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=20), st.dates(), st.binary(max_size=5))
values = st.recursive(
    scalars | st.lists(numbers, max_size=4),
    lambda nested: st.lists(nested, max_size=3) | st.dictionaries(st.text(max_size=5), nested, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from(NAMES) | st.text(max_size=10)
changes = st.dictionaries(keys, values, max_size=3)


def taken_or_refused(load, expected):
    """Loading gives a study that holds all that is expected; or it is refused, in one line."""
    try:
        study = load()
    except Exception as error:
        assert type(error) is InputError and str(error) and "\n" not in str(error), repr(error)
        return
    for name, value in (expected() or {}).items():
        held = getattr(study, name)
        assert held == (tuple(value) if isinstance(held, tuple) else value), name
        assert isinstance(held, bool) == isinstance(value, bool)


@given(changes)
def test_overrides_make_a_study_that_holds_them_or_are_refused(overrides):
    taken_or_refused(lambda: Study.load("fashion-vgg", overrides), lambda: overrides)


@given(st.sampled_from(sorted(SETTINGS)), values)
def test_each_setting_takes_its_own_kind_of_values_alone(name, value):
    taken_or_refused(lambda: Study.load("fashion-vgg", {name: value}), lambda: {name: value})


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The file of a study beside the embedded one, in a project that is the working directory."""
    folder = tmp_path_factory.mktemp("project") / "studies"
    folder.mkdir()
    (folder / "fashion-vgg.yaml").write_text(yaml.safe_dump(SETTINGS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder / "mine.yaml"


LAUGHS = "a: &a [1]\n" + "".join(f"{b}: &{b} [{'*' + a}{(', *' + a) * 8}]\n" for a, b in zip("abcdefghi", "bcdefghij"))
yaml_like = st.text(st.sampled_from("epochs: 3-\n[]{}&*!|>'\"#%@,0xt~<é💥\t"), max_size=40)


@given(st.binary(max_size=20) | yaml_like | changes.map(yaml.safe_dump))
@example("extends: mine")
@example("extends: null")
@example("extends: [fashion-vgg]")
@example("epochs: 80\nepochs: 90")
@example("epochs: 9999999999999999999999")
@example("epochs: 0x_")
@example("epochs: !!bool maybe")
@example("epochs: 2026-13-01")
@example("epochs: !!timestamp soon")
@example("epochs: !!python/object/apply:os.mkdir [harm]")
@example("? [epochs]\n: 80")
@example("<<: {epochs: 80}\nepoch: 3")
@example("epochs: " + "[" * 1000)
@example(LAUGHS)
@example(b"\xff\xfeepochs")
def test_a_study_file_is_a_study_or_is_refused(mine, content):
    encoded = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    for text in (encoded, b"extends: fashion-vgg\n" + encoded):
        mine.write_bytes(text)
        taken_or_refused(
            lambda: Study.load("mine"),
            lambda text=text: {key: value for key, value in yaml.safe_load(text).items() if key != "extends"},
        )
    assert not Path("harm").exists()


@given(st.text(max_size=20))
@example("../studies/fashion-vgg")
@example("a" * 5000)
@example("\0")
def test_no_other_name_is_a_study(name):
    with pytest.raises(InputError, match=r"^no study named .*$"):
        Study.load(f"{name}!")


@given(st.text(max_size=12) | st.from_regex(r"(target|baseline)-\w{1,25}", fullmatch=True))
@example("target-²")
@example("target-٣")
@example("target-11")
@example("baseline-007")
@example("target-" + "9" * 18)
@example("target-" + "9" * 19)
def test_a_role_has_a_seed_or_is_refused(role):
    try:
        family, seed = Study.load("fashion-vgg").role(role)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert re.fullmatch(rf"{family}-0*{seed}", role) and seed < 2**63


# --- Games ---------------------------------------------------------------------------------------------------------------


@st.composite
def games(draw):
    """Games (game, 2^n) of every kind: dense, one-hot, constant, of a few values; at any scale, beside any constant."""
    size = 2 ** draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kinds = {
        "dense": rng.normal(size=size),
        "one-hot": np.eye(size)[rng.integers(size)],
        "constant": np.full(size, rng.normal()),
        "few values": rng.integers(-1, 2, size).astype(float),
        "equal ends": np.r_[0.0, rng.normal(size=size - 2), 0.0],
    }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=3))  # one may come twice
    return np.stack([kinds[kind] for kind in chosen]) * 10.0 ** draw(st.integers(-12, 12))


BOUNDS = st.sampled_from([0.0, 1e-9, 1e-4, 0.04, 0.5, 1.0, 1e6, 1e300])


@given(games(), BOUNDS, st.sampled_from(["float32", "float64"]), st.sampled_from([0.0, 1.0, 1e4]))
def test_any_game_is_explained_within_its_noise_bound_and_certified(v, bound, kind, offset):
    v = (v + offset * np.abs(v).max()).astype(kind)
    solution = sparse_and_or(v, noise_bound=bound)
    v = v.astype("float64")
    model = reconstruct(solution.i_and, solution.i_or, solution.bias)
    np.testing.assert_array_equal(solution.noise, v - model)
    allowed, scale = bound * np.abs(v[:, -1:] - v[:, :1]), np.abs(v - v[:, :1]).max(axis=1, keepdims=True)
    assert (np.abs(solution.noise) <= allowed + 1e-12 * scale * (allowed == 0) + 1e-14 * np.abs(v).max()).all()
    assert (solution.gap >= 0).all() and (solution.gap <= 1e-5).all() and np.isfinite(solution.l1).all()
    quiet = (np.abs(v - v[:, :1]) <= allowed).all(axis=1)  # a constant game, or one that is all noise
    assert (solution.l1[quiet] == 0).all() and (solution.l1[~quiet] > 0).all()
    _, first, twin = np.unique(v, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_allclose(solution.l1, solution.l1[first][twin], rtol=1e-2)  # the same game twice


@given(games(), BOUNDS, st.integers(-40, 40))
def test_a_scale_that_rounds_nothing_changes_nothing_else(v, bound, power):
    one, other = sparse_and_or(v, noise_bound=bound), sparse_and_or(v * 2.0**power, noise_bound=bound)
    for name in ("i_and", "i_or", "bias", "noise", "l1"):
        np.testing.assert_array_equal(getattr(one, name) * 2.0**power, getattr(other, name))
    np.testing.assert_array_equal(one.gap, other.gap)


@given(
    st.lists(st.floats(-1e150, 1e150) | st.sampled_from([np.inf, np.nan, 1.7e308, -1.7e308]), min_size=4, max_size=4)
)
def test_values_without_a_finite_difference_are_refused_and_others_explained(v):
    v = np.array(v)
    with np.errstate(over="ignore", invalid="ignore"):
        known = np.isfinite(v - v[0]).all()
    if known:
        solution = sparse_and_or(v)
        assert np.isfinite([solution.i_and, solution.i_or]).all() and solution.gap <= 1e-5
    else:
        with pytest.raises(InputError, match="v holds NaN"):
            sparse_and_or(v)


# --- Files ---------------------------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.integers(-9, 10**30).map(str), st.text("0129.,-naif /\\\t\"'\0é", max_size=8), st.just("/etc/passwd")
)
DAMAGES = st.tuples(st.floats(0, 1), st.integers(0, 30), TEXTS.map(str.encode) | st.binary(max_size=40))


def damage(whole, how):
    """Bytes with some of them, at a share of their length, replaced by others, or with nothing behind them."""
    share, cut, new = how
    start = int(share * len(whole))
    return whole[:start] + new + whole[start + cut :] if cut else whole[:start]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("sets")
    made_up_sets.tiny_imagenet(place, per_class=2, size=16)
    made_up_sets.cub(place, per_class=2)
    return place


TABLES = {
    "tiny-imagenet": ("wnids.txt", "words.txt", "train/n01/n01_boxes.txt", "val/val_annotations.txt"),
    "cub": ("images.txt", "classes.txt", "image_class_labels.txt", "bounding_boxes.txt"),
}
IMAGES = {"tiny-imagenet": ("train/n01/images/n01_0.JPEG",), "cub": ("images/002.Kind_of_bird_2/Bird_0.jpg",)}


@pytest.mark.parametrize("name", sorted(TABLES))
@given(st.data())
def test_a_damaged_file_is_named_or_the_set_is_whole(place, name, data):
    folder = place / image_sets.SOURCES[name].folder
    path = folder / data.draw(st.sampled_from(TABLES[name] + IMAGES[name] * 3))
    whole = path.read_bytes()
    path.write_bytes(damage(whole, data.draw(DAMAGES)))
    try:
        images = image_sets.read(name, place, 8, place / "cache")
    except Exception as error:
        assert type(error) is InputError and "\n" not in str(error), repr(error)
        assert re.match("(missing|damaged|unreadable) data: ", str(error)) and "unpack http" in str(error)
    else:
        labels = images.labels.tolist()
        assert len(images.pixels) == len(labels) and set(labels) <= set(range(len(images.classes)))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", sorted(TABLES))
@given(how=DAMAGES)
def test_an_archive_is_unpacked_or_refused(tmp_path_factory, name, how):
    place, source = tmp_path_factory.mktemp("archive"), image_sets.SOURCES[name]
    archive = place / source.url.rpartition("/")[2]
    pack = made_up_sets.zipped if archive.suffix == ".zip" else made_up_sets.tarred
    pack(archive, {f"{source.folder}/{i}.txt": bytes(99) for i in range(5)})
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    published._download(dataclasses.replace(source, md5=md5), place)
    assert len(list((place / source.folder).iterdir())) == 5  # as it is, it is unpacked
    shutil.rmtree(place / source.folder)
    archive.write_bytes(damage(archive.read_bytes(), how))
    fetched = dataclasses.replace(source, md5=hashlib.md5(archive.read_bytes()).hexdigest())
    try:
        published._download(fetched, place)
    except Exception as error:
        assert type(error) is InputError and "\n" not in str(error), repr(error)
        assert not (place / source.folder).exists()
    else:
        files = list((place / source.folder).iterdir())
        assert {file.name for file in files} <= {f"{i}.txt" for i in range(5)}
        assert all(bytes(99).startswith(file.read_bytes()) for file in files)
