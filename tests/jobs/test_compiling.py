from __future__ import annotations

import pytest

from jobs.compile_kernels import kernels, main


def test_kernels_are_found_once_in_the_modules_that_define_them() -> None:
    names = [f"{each.function.__module__}.{each.function.__qualname__}" for each in kernels()]

    assert len(names) == len(set(names))
    assert all(name.startswith("refinery.") for name in names)


def test_arguments_are_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--all"])
