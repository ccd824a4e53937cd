"""What a packed launcher runs first, compiled into its pack: brings the modules of the pack in place (tools/pack.py)."""

import _frozen_importlib
import _frozen_importlib_external
import gc
import marshal
import posix
import sys

MODULE, PACKAGE, EXTENSION = range(3)
STDERR = 2
ST_SIZE, ST_MTIME = 6, 8
"""Where they stand in what stat() returns, the time in whole seconds (stat.py, which is not imported for two numbers)."""


class Later:
    """A finder and loader of the modules that a program may need later (importlib.abc)."""

    def __init__(self, fd: int, at: int, size: int) -> None:
        """Where their index stands in the pack: name: entry, where its code begins, the code's size, marshalled once more."""
        self._fd = fd
        self._at = at
        self._size = size
        self._index: dict[str, bytes] | None = None

    def find_spec(self, name: str, _path: object, _target: object = None) -> _frozen_importlib.ModuleSpec | None:
        """Find a module of the pack; None for all others, and for one whose source has changed."""
        if name.partition(".")[0] not in PACKED:
            return None
        if self._index is None:
            self._index = marshal.loads(posix.pread(self._fd, self._size, self._at))
        if name not in self._index:
            return None
        entry, at, size = marshal.loads(self._index[name])
        if not as_packed(entry):
            return None
        _, path, kind, _, _ = entry
        spec = _frozen_importlib.ModuleSpec(name, self, origin=path, loader_state=(at, size), is_package=kind == PACKAGE)  # type: ignore[arg-type]
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(path.rpartition("/")[0])
        return spec

    def create_module(self, _spec: _frozen_importlib.ModuleSpec) -> None:
        """A module as any other."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run its code."""
        spec = module.__spec__
        module.__file__ = spec.origin  # type: ignore[union-attr]  # here: who says that he has one is asked for a .pyc, too
        at, size = spec.loader_state  # type: ignore[union-attr]
        setattr(module, MODULES, sys.modules)
        exec(marshal.loads(posix.pread(self._fd, size, at)), module.__dict__)


def start(fd: int, size: int, modules: "list[Entry]", pieces: list[int], later: tuple[int, int]) -> None:
    """Bring in what the program needs at once, and offer what it may need later; do nothing if a source has changed.

    fd       the pack, read as far as its head
    size     of the pack, in bytes
    modules  in the order in which they are run
    pieces   the sizes of the tuples of code that follow, for those of the modules that are no extensions
    later    the size of all that follows then: the modules for later behind their index; and the size of that
    """
    if posix.fstat(fd).st_size != size or not all(map(as_packed, modules)):
        posix.close(fd)
        return
    gc.disable()
    load(modules, (code for piece in pieces for code in marshal.loads(posix.read(fd, piece))))
    gc.freeze()
    gc.enable()
    if fd > STDERR:
        sys.meta_path.insert(0, Later(fd, size - later[0], later[1]))
    else:  # who starts us with a descriptor closed must not find the pack there (A55)
        posix.close(fd)


def as_packed(entry: "Entry") -> bool:
    """Whether the file of a module is the one that was packed."""
    try:
        found = posix.stat(entry[1])
    except OSError:
        return False
    return found[ST_MTIME] == entry[3] and found[ST_SIZE] == entry[4]


def load(modules: "list[Entry]", codes: "Iterator[CodeType]") -> None:
    """Make all modules, for some name each other before they are run; then run them."""
    for entry in modules:
        sys.modules[entry[0]] = create(entry)
    for name, _, kind, _, _ in modules:
        module = sys.modules[name]
        if kind == EXTENSION:
            module.__loader__.exec_module(module)  # type: ignore[union-attr]
        else:
            exec(next(codes), module.__dict__)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)


def create(entry: "Entry") -> "ModuleType":
    """A module that has not run yet."""
    name, path, kind, _, _ = entry
    if kind == EXTENSION:
        loader = _frozen_importlib_external.ExtensionFileLoader(name, path)
        return _frozen_importlib.module_from_spec(_frozen_importlib.ModuleSpec(name, loader, origin=path))
    module = sys.__class__(name)
    module.__file__ = path
    module.__package__ = name if kind == PACKAGE else name.rpartition(".")[0]
    setattr(module, MODULES, sys.modules)
    if kind == PACKAGE:
        module.__path__ = [path.rpartition("/")[0]]
    return module


MODULES = "__modules__"
"""The name under which a module of the pack finds all of them (pack.py, taken())."""
PACKED = ("qsmtpd", "qqshim", "holdq", "cdbx")
"""Whose modules are packed."""

Entry = tuple[str, str, int, int, int]
"""Of a module: name, path of its file, kind, and of the file the time of change in whole seconds and the size."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType
