"""Kernels: plain loops over arrays that numba compiles at their first call, and keeps for later processes.

    @kernel
    def count_equal(keys_N: Hashes, key: np.uint64, firsts_N: Filled[Indices]) -> int: ...

The annotations are the signature. A kernel reads arrays, numbers and other kernels; it writes only into
parameters that are `Filled` and into arrays of its own. numba is imported by the first call, never by
an import: programs that need no kernel do not pay for it. docs/kernels.md says how to write one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, cast, get_args, get_type_hints

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
ArrayT = TypeVar("ArrayT")

FILLED, TWO_DIMENSIONS = "filled", "two dimensions"
# A parameter that the kernel writes to; arrays of every other parameter may be read-only.
Filled = Annotated[ArrayT, FILLED]
# A parameter or result of two dimensions; all others have one.
Matrix = Annotated[ArrayT, TWO_DIMENSIONS]

# Beside the packages, so that an image has the compiled code that was made when it was built.
PREFIX_FOLDER = "kernels"


class Kernel(Generic[P, R]):
    """A function that is compiled, or read from the cache, when it is called for the first time.

    Attributes:
        function: The loop as Python runs it; slow, and the same to the bit.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        counts_references: bool = True,
        is_inner: bool = False,
        is_copied: bool = False,
    ) -> None:
        self.function = function
        self._is_inner = is_inner
        self._is_copied = is_copied
        self._options = {
            "_nrt": counts_references,
            "forceinline": is_copied,
            "no_cpython_wrapper": is_inner,
            "no_cfunc_wrapper": is_inner,
        }
        self._call: Callable[P, R] | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._call is None:
            self.compile()
        return self._call(*args, **kwargs)  # type: ignore[misc]

    def compile(self) -> None:
        """Make the kernel ready, as its first call does."""
        import numba

        if numba.config.DISABLE_JIT or self._is_inner:
            self._call = _wrapping(self.function)
        else:
            self._call = self.dispatcher

    @functools.cached_property
    def dispatcher(self) -> Any:
        """numba's object for this kernel, compiled for its one signature."""
        import numba

        config = numba.config
        compile_it = functools.partial(
            numba.njit,
            _signature(self.function),
            error_model="numpy",
            **self._options,
        )
        before = config.CACHE_LOCATOR_CLASSES
        config.CACHE_LOCATOR_CLASSES = f"{__name__}.{CacheFolder.__name__}"
        try:
            return compile_it(cache=True)(self.function)
        except OSError:  # a folder that became full or read-only costs time, not a document
            return compile_it()(self.function)
        finally:
            config.CACHE_LOCATOR_CLASSES = before

    @property
    def _numba_type_(self) -> Any:
        """How numba asks what this object is when another kernel calls it."""
        from numba import types as numba_types

        return numba_types.Dispatcher(self.dispatcher)

    def __reduce__(self) -> str:
        return self.function.__qualname__

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the compiled code depends on: code, types, constants, called kernels.

        Its module, too: numba imports it where it reads the code.
        """
        code = self.function.__code__
        parts = [
            str(self.function.__module__),
            code.co_code.hex(),
            repr(code.co_consts),
            repr(code.co_names),
        ]
        if self._is_copied:
            parts.append("copied")
        parts.append(repr(sorted(self.function.__annotations__.items())))
        for hint in get_type_hints(self.function).values():
            parts.append(repr(getattr(hint, "__annotations__", None)))
        for name in code.co_names:
            value = self.function.__globals__.get(name)
            if isinstance(value, Kernel):
                parts.append(value.fingerprint)
            elif not isinstance(value, types.ModuleType) and not callable(value):
                parts.append(repr(value))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Have a function compiled by numba at its first call; decorator."""
    return Kernel(function)


def bare_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """A kernel that makes no arrays; decorator.

    Nothing in it counts references to arrays. Where many small kernels hand each other a dozen arrays,
    counting took three quarters of the time.
    """
    return Kernel(function, counts_references=False)


def inner_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """A bare kernel for other kernels; decorator. Called from Python, it runs as Python.

    It is compiled with the kernels that call it: a third of what numba compiles is for callers in Python.
    """
    return Kernel(function, counts_references=False, is_inner=True)


def copied_kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """An inner kernel whose code is copied into each kernel that calls it; decorator.

    A call hands over seven words per array: where six arrays go to a dozen small kernels for each tag of a
    page, calls took a third of the time. Copies cost time to compile: for what is small, or called once.
    """
    return Kernel(function, counts_references=False, is_inner=True, is_copied=True)


def read_only(array: ArrayT) -> ArrayT:
    """A view of an array as a `NamedTuple` of a kernel's arrays asks for it: contiguous, and not to be written."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return cast(ArrayT, view)


def compile_loaded(package: str) -> list[Kernel[..., Any]]:
    """Make every kernel of a package's loaded modules ready; returns them.

    For processes that fork children with limits: what a child compiles would count for its document.
    """
    modules = [
        one for name, one in sorted(sys.modules.items()) if f"{name}.".startswith(f"{package}.")
    ]
    found = [value for one in modules for value in vars(one).values() if isinstance(value, Kernel)]
    for each in found:
        each.compile()
    return found


def _wrapping(function: Callable[P, R]) -> Callable[P, R]:
    """The function as Python runs it, with sums and products of unsigned numbers that wrap silently."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(over="ignore"):
            return function(*args, **kwargs)

    return call


def _signature(function: Callable[..., Any]) -> Any:
    """numba's signature of a function, from its annotations."""
    hints = get_type_hints(function, include_extras=True)
    result = _numba_type(hints.pop("return"), is_result=True)
    return result(*(_numba_type(hint, is_result=False) for hint in hints.values()))


def _numba_type(hint: Any, *, is_result: bool) -> Any:
    """numba's type for `int`, `float`, `bool`, a numpy scalar, an array, or a tuple of these."""
    import numba
    from numba import types as numba_types

    simple = {int: numba.int64, float: numba.float64, bool: numba.boolean, type(None): numba.void}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, np.generic):
        return numba.from_dtype(np.dtype(hint))
    if isinstance(hint, type) and issubclass(hint, tuple):
        fields = get_type_hints(hint, include_extras=True).values()
        kinds = [_numba_type(field, is_result=False) for field in fields]
        if len(set(kinds)) == 1:  # numba has a type of its own for them
            return numba_types.NamedUniTuple(kinds[0], len(kinds), hint)
        return numba_types.NamedTuple(kinds, hint)
    notes = getattr(hint, "__metadata__", ())
    array = hint.__origin__ if notes else hint
    if getattr(array, "__origin__", None) is tuple:
        return numba_types.Tuple([_numba_type(part, is_result=True) for part in get_args(array)])
    dtype = numba.from_dtype(np.dtype(_scalar_of(array)))
    dimensions = 2 if TWO_DIMENSIONS in notes else 1
    may_write = is_result or FILLED in notes
    return numba_types.Array(dtype, dimensions, "C", readonly=not may_write)


def _scalar_of(array: Any) -> Any:
    """The scalar of an `NDArray`, which is an alias of numpy's array up to numpy 2.4, and its own type since."""
    inner = get_args(array)
    return _scalar_of(inner[-1]) if inner else array


class CacheFolder:
    """Where numba reads and writes the compiled code of one kernel (numba calls it a cache locator)."""

    def __init__(self, function: types.FunctionType, fingerprint: str) -> None:
        self._py_file = function.__code__.co_filename  # numba names it in warnings
        self._fingerprint = fingerprint
        self._path = cache_folder(fingerprint)

    @classmethod
    def from_function(cls, function: types.FunctionType, file: str) -> CacheFolder:
        return cls(function, Kernel(cast(Any, function)).fingerprint)

    def get_cache_path(self) -> str:
        return str(self._path)

    def ensure_cache_path(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return self._fingerprint

    def get_disambiguator(self) -> str:
        return self._fingerprint[:16]


def cache_folder(fingerprint: str) -> Path:
    """The folder that has this kernel for this processor, else the first that can be written to."""
    writable: Path | None = None
    for root in _roots():
        folder = root / _processor()
        if any(folder.glob(f"*-{fingerprint[:16]}.*.nbi")):
            return folder
        if writable is None and _is_writable(folder):
            writable = folder
    return writable or _own_folder() / _processor()


def _roots() -> Iterator[Path]:
    """Folders to look into, in order; what lies in them is trusted as the packages' code is."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(given)
    yield Path(sys.prefix) / PREFIX_FOLDER
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(caches):  # a user without a home keeps the "~"
        yield Path(caches) / "pretrain-refinery"


def _own_folder() -> Path:
    """A folder for temporary files that nobody else can write to.

    Everybody may make one of the expected name: only our own, closed one is trusted.
    """
    folder = Path(tempfile.gettempdir()) / f"pretrain-refinery-{os.getuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if is_ours and not status.st_mode & 0o022:
        return folder
    return Path(tempfile.mkdtemp(prefix="pretrain-refinery-"))


@functools.cache
def _processor() -> str:
    """Names what the code depends on beside the kernel: numba, the processor, checks of bounds."""
    import numba
    from llvmlite import binding

    parts = [
        numba.__version__,
        numba.config.CPU_NAME or binding.get_host_cpu_name(),
        numba.config.CPU_FEATURES or binding.get_host_cpu_features().flatten(),
        numba.config.BOUNDSCHECK,
        numba.config.OPT,
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@functools.cache
def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
