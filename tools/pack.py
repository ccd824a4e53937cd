"""Make a launcher that starts its program from one file: what "make install" does for programs that live a few milliseconds.

    PREFIX/bin/python3 -IS tools/pack.py PREFIX LAUNCHER...

To import a module costs the interpreter 0.08 ms before the module's first line runs: to find it, to look at its source, to open
what was compiled of it.  A cold program of ours has forty modules.  So they are written, compiled, in the order in which they
finish their import, into one file beside them, and PREFIX/bin/PROGRAM runs them from there.  The interpreter is named in its
first line, which saves the launcher's sh too, and told that all is UTF-8: to find out from the locale costs 0.3 ms.  What is there for readers and for mypy alone is left out: it would be a third of
the file, which is read for every session.

Nothing but time depends on it.  Where a source is not the one that was packed, or anything is wrong with the pack, the launcher
imports as every program does; and pip, which knows nothing of packs, puts its own launcher back when it upgrades.
"""

import ast
import marshal
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

PACKED = ("qsmtpd", "qqshim", "holdq", "cdbx")
HEAD = 16384
LAUNCHER = """\
#!{python} -ISXutf8
# Made by tools/pack.py from {source}.
import posix
import sys
from marshal import loads

sys.path.insert(0, {packages!r})
try:
    fd = posix.open({pack!r} + sys.implementation.cache_tag, posix.O_RDONLY)
    loader, modules, size = loads(posix.read(fd, {head}))
except (OSError, ValueError, TypeError, EOFError):
    pass
else:
    exec(loader)
{start}"""
LOADER = """\
import gc
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import ExtensionFileLoader

def as_packed(path, changed, size):
    try:
        found = posix.stat(path)
    except OSError:
        return False
    return (int(found.st_mtime), found.st_size) == (changed, size)

def create(name, path, is_package, length):
    if not length:
        return module_from_spec(ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))
    module = type(sys)(name)
    module.__file__ = path
    module.__package__ = name if is_package else name.rpartition(".")[0]
    if is_package:
        module.__path__ = [path.rpartition("/")[0]]
    return module

def load():
    for name, path, _, _, is_package, length in modules:
        sys.modules[name] = create(name, path, is_package, length)
    for name, *_, length in modules:
        module = sys.modules[name]
        if length:
            exec(loads(posix.read(fd, length)), module.__dict__)
        else:
            module.__loader__.exec_module(module)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)

if posix.fstat(fd).st_size == size and all([as_packed(*module[1:4]) for module in modules]):
    gc.disable()
    load()
    gc.freeze()
    gc.enable()
posix.close(fd)
"""
"""It is in the pack too, compiled, and runs in the launcher's name space."""

Packed = tuple[str, str, int, int, bool, CodeType | None]
"""Module: name, path of its file, that file's time of change in whole seconds and its size, whether it is a package, its code,
which a module in C has not."""

done: list[Packed] = []
"""The modules, in the order in which their import was finished."""


class Bare(ast.NodeTransformer):
    """Takes away what only mypy reads: annotations, and what stands under TYPE_CHECKING."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """See NodeVisitor."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """See NodeVisitor."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """See NodeVisitor."""
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """See NodeVisitor."""
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """See NodeVisitor."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def compiled(path: str) -> CodeType:
    """The code of a source, without docstrings and what only mypy reads."""
    tree = Bare().visit(ast.parse(Path(path).read_bytes()))
    code: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=2)
    return code


def note(module: ModuleType, path: str, code: CodeType | None) -> None:
    """Its import is finished."""
    name = module.__name__
    if name.partition(".")[0] in PACKED:
        found = os.stat(path)
        done.append((name, path, int(found.st_mtime), found.st_size, hasattr(module, "__path__"), code))


class SourceRecorder(SourceFileLoader):
    """Notes the modules in Python."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        super().exec_module(module)
        note(module, self.path, compiled(self.path))


class ExtensionRecorder(ExtensionFileLoader):
    """Notes the modules in C."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        super().exec_module(module)
        note(module, self.path, None)


def record(entry: str, packages: Path) -> list[Packed]:
    """Import the entry module from packages, and return the modules to be packed that this brought."""
    sys.path.insert(0, str(packages))
    loaders = (ExtensionRecorder, EXTENSION_SUFFIXES), (SourceRecorder, SOURCE_SUFFIXES)
    sys.path_hooks.insert(0, FileFinder.path_hook(*loaders))
    sys.path_importer_cache.clear()
    __import__(entry)
    return done


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
    codes = [(module, marshal.dumps(code) if code else b"") for *module, code in record(entry, packages)]
    index = [(*module, len(code)) for module, code in codes]
    size = HEAD + sum(len(code) for _, code in codes)
    head = marshal.dumps((compile(LOADER, "pack", "exec", dont_inherit=True), index, size)).ljust(HEAD, b"\0")
    if len(head) > HEAD:
        raise SystemExit(f"pack.py: the index of {launcher.name} is longer than {HEAD} bytes")
    packed = head + b"".join([code for _, code in codes])
    from qsmtpd.qmail.durable import replace_file  # noqa: PLC0415 - after record(), which must see it imported

    # By the interpreter's version: what one has compiled may crash another.
    replace_file(target + sys.implementation.cache_tag, packed)
    program = LAUNCHER.format(
        python=prefix / "bin/python3", source=f"{entry.partition('.')[0]}/launch/{launcher.name}", packages=str(packages),
        pack=target, head=HEAD, start=start)
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
