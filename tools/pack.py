"""Make a launcher that starts its program from one file: what "make install" does for programs that live a few milliseconds.

    PREFIX/bin/python3 -IS tools/pack.py PREFIX LAUNCHER...

To import a module costs the interpreter 0.08 ms before the module's first line runs: to find it, to look at its source, to open
what was compiled of it.  A cold program of ours has thirty modules.  So they are written, compiled, in the order in which they
finish their import, into one file beside them, and PREFIX/bin/PROGRAM runs them from there.  The interpreter is named in its
first line, which saves the launcher's sh too.

Nothing but time depends on it.  Where a source is not the one that was packed, or anything is wrong with the pack, the launcher
imports as every program does; and pip, which knows nothing of packs, puts its own launcher back when it upgrades.
"""

import marshal
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

OURS = ("qsmtpd", "qqshim", "holdq")
LAUNCHER = """\
#!{python} -IS
# Made by tools/pack.py from {source}.
import posix
import sys
from marshal import loads

sys.path.insert(0, {packages!r})
try:
    fd = posix.open({pack!r} + sys.implementation.cache_tag, posix.O_RDONLY)
    loader, modules = loads(posix.read(fd, posix.fstat(fd).st_size))
    posix.close(fd)
except (OSError, ValueError, TypeError, EOFError):
    pass
else:
    exec(loader)
{start}"""
LOADER = """\
import gc

def as_packed(path, changed, size):
    try:
        found = posix.stat(path)
    except OSError:
        return False
    return (int(found.st_mtime), found.st_size) == (changed, size)

def load():
    for name, path, _, _, is_package, _ in modules:
        module = sys.modules[name] = type(sys)(name)
        module.__file__ = path
        module.__package__ = name if is_package else name.rpartition(".")[0]
        if is_package:
            module.__path__ = [path.rpartition("/")[0]]
    for name, *_, code in modules:
        exec(code, sys.modules[name].__dict__)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, sys.modules[name])

if all([as_packed(*module[1:4]) for module in modules]):
    gc.disable()
    load()
    gc.freeze()
    gc.enable()
"""
"""It is in the pack too, compiled, and runs in the launcher's name space."""

Packed = tuple[str, str, int, int, bool, CodeType]
"""Module: name, path of its source, that file's time of change in whole seconds and its size, whether it is a package, code."""


class RecordingLoader(SourceFileLoader):
    """Notes the modules of ours in the order in which they are done."""

    done: list[Packed] = []  # noqa: RUF012 - the interpreter makes the loaders, one a module

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        super().exec_module(module)
        name = module.__name__
        if name.partition(".")[0] in OURS:
            found = os.stat(self.path)
            code = self.get_code(name)
            assert code
            self.done.append((name, self.path, int(found.st_mtime), found.st_size, self.is_package(name), code))


def record(entry: str, packages: Path) -> list[Packed]:
    """Import the entry module from packages, and return all modules of ours that this brought."""
    sys.path.insert(0, str(packages))
    loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (RecordingLoader, SOURCE_SUFFIXES)
    sys.path_hooks.insert(0, FileFinder.path_hook(*loaders))
    sys.path_importer_cache.clear()
    __import__(entry)
    return RecordingLoader.done


def pack(prefix: Path, launcher: Path) -> None:
    """Write the pack, then the launcher, of one program.

    prefix    the virtual environment
    launcher  the one that pip installs, in the source tree: what it does after its interpreter was found stays the same
    """
    packages = prefix / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    text = launcher.read_text()
    start = text[text.index("site-packages"):].partition("\n")[2].lstrip("\n")
    entry = start.partition("from ")[2].split()[0]
    target = f"{packages}/{launcher.name}.pack."
    loader = compile(LOADER, "pack", "exec", dont_inherit=True)
    # By the interpreter's version: what one has compiled may crash another.
    packed = marshal.dumps((loader, record(entry, packages)))
    from qsmtpd.qmail.durable import replace_file  # noqa: PLC0415 - after record(), which must see it imported

    replace_file(target + sys.implementation.cache_tag, packed)
    program = LAUNCHER.format(
        python=prefix / "bin/python3", source=f"{entry.partition('.')[0]}/launch/{launcher.name}", packages=str(packages),
        pack=target, start=start)
    replace_file(str(prefix / "bin" / launcher.name), program.encode(), 0o755)


def main() -> None:
    """One process a program, for a module is imported once."""
    prefix, *launchers = map(Path, sys.argv[1:])
    if len(launchers) == 1:
        pack(prefix.absolute(), launchers[0])
        return
    for launcher in launchers:
        subprocess.run([sys.executable, "-IS", __file__, prefix, launcher], check=True)


if __name__ == "__main__":
    main()
