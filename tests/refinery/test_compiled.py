from __future__ import annotations

import pickle
import subprocess
import sys
import types
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from refinery import compiled
from refinery.compiled import Filled, Kernel, Matrix, cache_folder, kernel

Numbers = NDArray[np.uint64]
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@kernel
def times(value: np.uint64) -> np.uint64:
    return value * FACTOR


@kernel
def fill(numbers_N: Numbers, sums_N: Filled[Numbers], start: int) -> tuple[Numbers, int]:
    """Running products of `numbers_N`, and how many there are."""
    products = np.empty(len(numbers_N), np.uint64)
    total = np.uint64(start)
    for index in range(len(numbers_N)):
        products[index] = times(numbers_N[index])
        total += products[index]
        sums_N[index] = total
    return products, len(numbers_N)


@kernel
def row_sums(numbers_RC: Matrix[Numbers]) -> Numbers:
    sums = np.zeros(numbers_RC.shape[0], np.uint64)
    for row in range(numbers_RC.shape[0]):
        for column in range(numbers_RC.shape[1]):
            sums[row] += numbers_RC[row, column]
    return sums


def _run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": root, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_kernel_reads_read_only_arrays_and_fills_what_is_marked() -> None:
    numbers = np.array([1, 2, 2**63], np.uint64)
    numbers.flags.writeable = False
    sums = np.zeros(3, np.uint64)

    products, count = fill(numbers, sums, 5)

    expected = [int(n) * 0x9E3779B97F4A7C15 % 2**64 for n in numbers]
    assert (products.tolist(), count) == (expected, 3)
    assert sums.tolist() == [(5 + sum(expected[: i + 1])) % 2**64 for i in range(3)]
    assert row_sums(np.arange(6, dtype=np.uint64).reshape(2, 3)).tolist() == [3, 12]


def test_python_runs_the_same_loop_to_the_same_bit() -> None:
    numbers = np.random.default_rng(0).integers(0, 2**64, 50, dtype=np.uint64)
    ours, plain = np.zeros(50, np.uint64), np.zeros(50, np.uint64)

    compiled_products, _ = fill(numbers, ours, 9)
    with np.errstate(over="ignore"):
        plain_products, _ = fill.function(numbers, plain, 9)

    assert (ours == plain).all()
    assert (compiled_products == plain_products).all()


def test_an_array_of_another_type_or_layout_is_refused() -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        fill(np.zeros(3, np.int32), np.zeros(3, np.uint64), 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="No matching definition"):
        row_sums(np.zeros((4, 4), np.uint64)[:, ::2])


def test_arrays_are_understood_as_old_and_new_numpy_write_them() -> None:
    old = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

    assert compiled._scalar_of(old) is np.uint8
    assert compiled._scalar_of(types.GenericAlias(list, (np.uint8,))) is np.uint8


def test_a_kernel_is_pickled_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(compiled.kernel)) is compiled.kernel
    assert fill.__reduce__() == "fill"
    assert fill.__doc__ is not None
    assert fill.__doc__.startswith("Running products")


def test_the_fingerprint_follows_constants_and_called_kernels() -> None:
    sources = {
        "F = 1\ndef g(x: int) -> int:\n    return x + F": "another constant",
        "F = 2\ndef g(x: int) -> int:\n    return x + F": "by name",
        "F = 1\ndef g(x: int) -> int:\n    return x - F": "another operation",
        "F = 1\ndef g(x: float) -> int:\n    return x + F": "another type",
    }
    caller = "def f(x: int) -> int:\n    return g(x)"
    prints = set()
    for source in sources:
        names: dict[str, object] = {}
        exec(source, names)
        names["g"] = Kernel(names["g"])  # type: ignore[arg-type]
        exec(caller, names)
        prints |= {names["g"].fingerprint, Kernel(names["f"]).fingerprint}  # type: ignore[attr-defined,arg-type]

    assert len(prints) == 8


def test_a_kernel_that_moves_to_another_module_is_another_one() -> None:
    source = "def f(x: int) -> int:\n    return x"
    prints = set()
    for module in ("old_home", "new_home"):  # numba imports it where it reads the code
        names: dict[str, object] = {"__name__": module}
        exec(source, names)
        prints.add(Kernel(names["f"]).fingerprint)  # type: ignore[arg-type]

    assert len(prints) == 2


LOOP = """
from __future__ import annotations
import sys
import numpy as np
from numpy.typing import NDArray
from refinery.compiled import kernel

@kernel
def total(numbers_N: NDArray[np.int64]) -> int:
    result = 0
    for index in range(len(numbers_N)):
        result += numbers_N[index]
    return result
"""
CALL = (
    "import sys, loop; assert 'numba' not in sys.modules; import numpy as np\n"
    "assert loop.total(np.arange(5)) == 10\n"
    "stats = loop.total.dispatcher.stats; print(len(stats.cache_hits), stats.cache_path)"
)


def test_workers_that_compile_at_once_leave_code_for_the_next(tmp_path: Path) -> None:
    """From a zip, as `--py-files` ships it."""
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("loop.py", LOOP)
    call = "import sys; sys.path.insert(0, 'code.zip')\n" + CALL
    folder = tmp_path / "cache"

    def run(_: int) -> subprocess.CompletedProcess[str]:
        return _run(call, tmp_path, NUMBA_CACHE_DIR=str(folder))

    with ThreadPoolExecutor(2) as pool:
        runs = [*pool.map(run, range(2)), run(0)]

    assert [done.returncode for done in runs] == [0, 0, 0], runs[0].stderr
    assert runs[2].stdout.split()[0] == "1"
    assert Path(runs[2].stdout.split()[1]).parent == folder


def test_a_folder_that_takes_no_files_costs_time_and_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled, "cache_folder", lambda _: Path("/dev/null/nowhere"))

    assert Kernel(times.function)(np.uint64(1)) == FACTOR


def test_folders_are_asked_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was given, the environment's, the user's; one that is read-only serves if filled."""
    image, home, file = tmp_path / "image", tmp_path / "home", tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(compiled, "PREFIX_FOLDER", str(file / "no-folder"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    processor = compiled._processor()

    assert cache_folder("ab" * 32) == home / "pretrain-refinery" / processor
    (image / processor).mkdir(parents=True)
    (image / processor / f"m.f-{'ab' * 8}.py311.nbi").write_text("")
    monkeypatch.setattr(compiled, "PREFIX_FOLDER", str(image))
    assert cache_folder("ab" * 32) == image / processor
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert cache_folder("cd" * 32) == tmp_path / "given" / processor


def test_a_temporary_folder_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(tmp_path))

    own = compiled._own_folder()
    own.chmod(0o777)
    other = compiled._own_folder()

    assert own.parent == tmp_path
    assert other != own
    assert other.stat().st_mode & 0o077 == 0


def test_no_import_of_a_verb_imports_numba(tmp_path: Path) -> None:
    code = (
        "import importlib, sys, refinery.api\n"
        "from jobs.command.main import VERBS\n"
        "for verb in VERBS: importlib.import_module('jobs.command.' + verb)\n"
        "print('numba' in sys.modules)"
    )

    done = _run(code, tmp_path)

    assert done.stdout.strip() == "False", done.stderr


def test_without_the_compiler_python_runs_the_loop(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'code')\nimport warnings; warnings.simplefilter('error')\n"
        "import loop; print(loop.total(loop.np.full(3, 2**62)))"
    )
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "loop.py").write_text(LOOP)

    done = _run(code, tmp_path, NUMBA_DISABLE_JIT="1")

    assert done.stdout.strip() == str(3 * 2**62 - 2**64), done.stderr
