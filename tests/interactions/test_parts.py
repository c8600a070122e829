"""The parts of the solver: the basis and the compiled maps against dense matrices, the cache, memory, threads."""

import hashlib
import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import oracles
import pytest
import torch
import torchvision
from numba.core import caching
from test_sparse import planted, random_games, same_to_the_last_bit

from symgen import ImageGame
from symgen.games import ROUNDING
from symgen.interactions import _basis, _compile, _operator, prepare, sparse, sparse_and_or
from symgen.interactions.subsets import orders


def dense_phi(n):
    """Phi from its definition, (2^n, 2 * 2^n): zero where no interaction lives, and in the row of the empty set."""
    subset = np.arange(1 << n)
    within, meets = (subset & subset[:, None]) == subset, (subset & subset[:, None]) != 0
    return np.hstack([within * (orders(n) >= 1), meets * (orders(n) >= 2)]).astype(float)


def dense_gram(n):
    """Phi Phi', with the identity in the row and the column of the empty set."""
    gram = dense_phi(n) @ dense_phi(n).T
    gram[0, 0] = 1
    return gram


# --- The basis ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 9))
def test_the_basis_is_orthonormal_and_cuts_the_gram_matrix_into_its_blocks(n):
    vectors = _basis.out_of(np.eye(1 << n), n)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(1 << n), atol=1e-13)
    np.testing.assert_allclose(_basis.into(vectors, n), np.eye(1 << n), atol=1e-13)
    expected, first = np.zeros((1 << n, 1 << n)), 0
    for (count, side), block in zip(_basis.basis(n).shapes, _basis.gram_blocks(n)):
        for _ in range(count):
            expected[first : first + side, first : first + side] = block
            first += side
    assert first == 1 << n
    np.testing.assert_allclose(vectors @ dense_gram(n) @ vectors.T, expected, atol=1e-10 * 4**n)


def test_the_gram_matrix_has_blocks_of_36_rows_at_most():
    assert _basis.basis(10).shapes[:, 1].max() == 36
    assert (_basis.basis(10).shapes.prod(axis=1).sum()) == 1 << 10


# --- The compiled maps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("added", [0.0, 1.0, 6.25])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_functions_of_the_gram_matrix_are_those_of_the_dense_one(n, added, rng):
    y = rng.normal(size=1 << n)
    expected = np.linalg.solve(dense_gram(n) + added * np.eye(1 << n), y)
    _operator.apply_blocks(y, _basis.inverse_blocks(n, added), _operator.tables(n).basis, np.zeros((2, 1 << n)))
    np.testing.assert_allclose(y, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_phi_and_its_transpose_are_those_of_the_definition(n, rng):
    phi, size = dense_phi(n), 1 << n
    x, y = rng.normal(size=2 * size) * _basis.live_entries(n), rng.normal(size=size)
    image, pull, work = np.zeros(size), np.zeros(2 * size), np.zeros(2 * size)
    _operator.apply(x, image, work)
    _operator.apply_transposed(y, _basis.live_entries(n), pull, work[:size])
    np.testing.assert_allclose(image, phi @ x, atol=1e-11)
    np.testing.assert_allclose(pull, phi.T @ y, atol=1e-11)


# --- Rounding of v -----------------------------------------------------------------------------------------------------


def network_values(name, dtype=torch.float32):
    """v of an untrained network of torchvision on a random image, six cells masked."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)().eval().to(dtype)
    image = torch.rand(3, 64, 64).to(dtype)
    cut = "relu" if name == "resnet18" else "features.0"
    return ImageGame(network, cut).values(image, 3, [0, 3, 6, 12, 18, 20])


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small"])
def test_outputs_that_differ_in_their_last_digits_only_have_no_interactions(name):
    v = network_values(name)
    assert 0 < np.abs(v - v[0]).max() < ROUNDING * np.abs(v).max()
    solution = sparse_and_or(v, rounding=ROUNDING)
    assert solution.l1 == 0 and solution.gap == 0 and np.abs(solution.noise).max() <= solution.bound
    assert sparse_and_or(v).l1 > 0  # to who knows v to float64, they are interactions


def test_an_untrained_network_whose_outputs_do_vary_keeps_its_interactions():
    v, exact = network_values("resnet18"), network_values("resnet18", torch.float64)
    error = np.abs(v - exact).max()
    assert 0 < error < sparse.ROUNDINGS * ROUNDING * np.abs(v).max() / 2  # half, since v(S) and v(empty) both err
    assert same_to_the_last_bit(sparse_and_or(v, rounding=ROUNDING), sparse_and_or(v))


# --- Rows, memory and threads ------------------------------------------------------------------------------------------


def test_rows_grow_from_a_single_one(monkeypatch):
    v = planted(8, 3, 8, seed=3)[0]
    expected = sparse_and_or(v)

    def one_row(game, x, y, active, *_):
        x[:], y[:], active[:] = 0, 0, False
        active[-1] = True
        return 1, 1.0

    monkeypatch.setattr(sparse, "rough_solution", one_row)
    solution = sparse_and_or(v)
    assert (solution.gap <= 1e-8).all() and (solution.iterations > expected.iterations).all()
    np.testing.assert_allclose(solution.i_and, expected.i_and, atol=1e-3 * np.abs(expected.i_and).max())


def test_a_sample_that_does_not_fit_into_memory_says_so_and_stops_the_others(monkeypatch):
    v = np.random.default_rng(0).normal(size=(40, 1 << 9)) * np.exp(np.arange(1 << 9) / 40)
    monkeypatch.setattr(sparse.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**20))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(
        ValueError, match=r"a sample of n = 9 variables needs 0\.0 GiB for a matrix of .* rows, and 0\.0"
    ):
        sparse_and_or(v)


def test_games_of_twelve_variables_are_solved_as_well():
    v, i_and, _ = planted(12, 1, 12, seed=1)
    solution = sparse_and_or(v)
    assert (solution.gap <= 1e-8).all()
    strongest = max(np.abs(solution.i_and).max(), np.abs(solution.i_or).max())
    np.testing.assert_array_equal(np.abs(solution.i_and) > 0.05 * strongest, i_and != 0)


# --- The cache of what is compiled -------------------------------------------------------------------------------------


def test_an_edit_of_any_file_of_the_solver_makes_the_cache_stale(tmp_path, monkeypatch):
    copied = tmp_path / "interactions"
    shutil.copytree(Path(_compile.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_compile, "__file__", str(copied / "_compile.py"))
    stamps = {_compile._stamp.__wrapped__()}
    for name in ("_admm", "_basis", "_compile", "_interior_point", "_operator"):
        path = copied / f"{name}.py"
        path.write_text(path.read_text() + "\n")
        stamps.add(_compile._stamp.__wrapped__())
    assert len(stamps) == 6


@pytest.mark.parametrize("writable", ["beside", "user", "nowhere"])
def test_compiled_code_is_kept_where_anything_can_be_written(tmp_path, monkeypatch, capsys, writable):
    source = tmp_path / "doubling.py"
    source.write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    kept = caching._CacheLocator.ensure_cache_path

    def ensure(locator):
        beside = locator.get_cache_path().endswith("__pycache__")
        if writable == "nowhere" or (writable == "user" and beside):
            raise PermissionError
        kept(locator)

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", ensure)
    _compile._announce.cache_clear()
    for _ in range(2):
        sys.modules.pop("doubling", None)
        double = _compile.entry_point(__import__("doubling").double)
        assert double(21) == 42
        if writable != "nowhere":
            _compile._announce.cache_clear()
    printed = capsys.readouterr().err
    assert printed.count("compiling the solver") == 1  # the second time it is found, or announced already
    assert len(list(tmp_path.rglob("*.nbc"))) == (writable != "nowhere")


def test_what_an_earlier_version_compiled_for_a_type_that_is_gone_is_compiled_anew(tmp_path, monkeypatch):
    source = "from typing import NamedTuple\n\nclass {0}(NamedTuple):\n    a: float\n\n"
    source += "def double(pair):\n    return 2 * pair.a\n"
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("Pair", "Couple"):
        (tmp_path / "doubling_of.py").write_text(source.format(name))
        sys.modules.pop("doubling_of", None)
        importlib.invalidate_caches()
        monkeypatch.setattr(_compile, "_stamp", lambda name=name: name)
        module = importlib.import_module("doubling_of")
        assert _compile.entry_point(module.double)(getattr(module, name)(21.0)) == 42


def test_all_that_is_compiled_is_prepared_and_then_silent(capsys, monkeypatch):
    called, compiled = set(), {name: of for name, of in vars(sparse).items() if hasattr(of, "py_func")}
    prepare()
    _compile._announce.cache_clear()
    for name, function in compiled.items():
        monkeypatch.setattr(sparse, name, lambda *args, of=function, name=name: called.add(name) or of(*args))
    prepare()
    assert called == {*compiled} == {"begin", "certify", "dense_solution", "descend", "rough_solution"}
    assert not capsys.readouterr().err


def test_the_same_game_gives_the_same_bits_in_another_process(tmp_path):
    """Of those on this machine: whatever was compiled, or solved, before."""
    v = random_games(8, 1)
    code = (
        "import sys, hashlib, numpy as np\nfrom symgen import sparse_and_or\n"
        "found = sparse_and_or(np.load(sys.argv[1]))\n"
        "print(hashlib.sha256(found.i_and.tobytes() + found.i_or.tobytes()).hexdigest())"
    )
    np.save(tmp_path / "v.npy", v)
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "v.npy"], capture_output=True, text=True, check=True)
    solution = sparse_and_or(v)
    assert ran.stdout.strip() == hashlib.sha256(solution.i_and.tobytes() + solution.i_or.tobytes()).hexdigest()


def test_a_sample_that_takes_long_says_about_how_long(monkeypatch):
    monkeypatch.setattr(sparse, "SLOW_ROWS", 300)
    v = np.random.default_rng(0).normal(size=1 << 9) * np.exp(np.arange(1 << 9) / 40)
    with pytest.warns(UserWarning, match=r"a sample has \d+ rows at their noise bound, and may take 0 minutes or more"):
        sparse_and_or(v)


# --- Ways that a game seldom takes -------------------------------------------------------------------------------------


def test_a_second_and_a_third_attempt_reach_the_optimum_alone(monkeypatch):
    v = random_games(8, 1)
    expected, solve = sparse_and_or(v), sparse.descend
    for failing in (1, 2):
        calls = []

        def stops(*arguments, calls=calls, failing=failing):
            calls.append(1)
            return (sparse.NEEDS_ROOM + 1, 1) if (len(calls) - 1) % 4 < failing else solve(*arguments)

        monkeypatch.setattr(sparse, "descend", stops)
        monkeypatch.setattr(sparse, "MANY_ROWS", 2)  # no game is dense, and its matrix has room from the start
        for game, l1 in zip(v, expected.l1):
            calls.clear()
            solution = sparse_and_or(game, tol=1e-8)
            assert solution.gap <= 1e-8 and solution.l1 == pytest.approx(l1, rel=1e-4)
            assert np.abs(solution.noise).max() <= solution.bound


def test_dense_games_come_to_the_same_by_either_way(monkeypatch):
    v, called = np.random.default_rng(0).normal(size=(2, 1 << 8)), []
    dense = sparse.dense_solution
    monkeypatch.setattr(sparse, "dense_solution", lambda *arguments: called.append(1) or dense(*arguments))
    one = sparse_and_or(v)
    monkeypatch.setattr(sparse, "MANY_ROWS", 2)
    other = sparse_and_or(v)
    assert len(called) == 2
    np.testing.assert_allclose(one.i_and, other.i_and, atol=1e-3 * np.abs(other.i_and).max())


def test_any_multipliers_bound_the_optimum_from_below_and_any_interactions_are_repaired(rng):
    v = random_games(6, 1)[1]
    u, size = v - v[0], len(v)
    scale = np.abs(u).max()
    game = sparse.Problem(u / scale, 0.04 * abs(u[-1]) / scale, 0.5)
    optimum = oracles.quadratic_program(v, 0.5)[1] / scale
    for strength in (0.0, 0.01, 0.1, 1.0):
        x, y = strength * rng.normal(size=2 * size) * _basis.live_entries(6), strength * rng.normal(size=size)
        upper, lower = sparse.certify(game, x, y, _operator.tables(6), np.zeros((5, size)))
        assert lower <= optimum * (1 + 1e-7) and upper >= optimum * (1 - 1e-7)
        assert (np.abs(game.u - dense_phi(6) @ x) <= game.bound * (1 + 1e-12)).all()


def test_types_of_numbers_compile_nothing_anew():
    prepare()
    v = torch.tensor(random_games(5, 1))
    for given in (v, v.half(), v.bfloat16(), v.numpy(), v[0]):
        sparse_and_or(given, ridge=1, tol=1e-6, noise_bound=0)
    for entry in (sparse.begin, sparse.descend, sparse.certify, sparse.rough_solution, sparse.dense_solution):
        assert len(entry.signatures) == 1
