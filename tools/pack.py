"""Make a launcher that starts its program from one file: what "make install" does for programs that live a few milliseconds.

    PREFIX/bin/python3 -IS tools/pack.py PREFIX LAUNCHER...

To import a module costs the interpreter 0.08 ms before the module's first line runs: to find it, to look at its source, to open
what was compiled of it.  A cold program of ours has forty modules.  So they are written, compiled, in the order in which they
finish their import, into one file beside them, and PREFIX/bin/PROGRAM runs them from there; what it may import later is there
too, and read when it does.  The interpreter is named in the launcher's first line, which saves its sh, and told that all is
UTF-8: to find out from the locale costs 0.3 ms.  What is in a source for readers and for mypy alone is left out: it would be a
third of the pack.

Nothing but time depends on it.  Where a source is not the one that was packed, or anything is wrong with the pack, the launcher
imports as every program does; and pip, which knows nothing of packs, puts its own launcher back when it upgrades.
"""

import ast
import marshal
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, ModuleType

sys.path.append(str(Path(__file__).parent.parent))  # an isolated interpreter does not look around its script
from tools import unpack
from tools.unpack import Entry

sys.path.pop()  # what is packed is what is installed

HEAD = 16384
"""Bytes of a pack's head, which is read at once: the code of unpack.py, and the arguments of its start() but the first."""
PIECE = 100_000
"""Bytes of code that are read together: names that they share stand there once.  More would come by mmap(2), in fresh pages."""
NO_COLUMNS = "no_debug_ranges"
"""The option of an interpreter whose compiled code knows of each instruction the line, and no more."""
LAUNCHER = """\
#!{python} -ISXutf8
# Made by tools/pack.py from {source}.
import marshal
import posix
import sys

sys.path.insert(0, {packages!r})
try:
    fd = posix.open({pack!r} + sys.implementation.cache_tag, posix.O_RDONLY)
    code, *arguments = marshal.loads(posix.read(fd, {head}))
except Exception:
    pass
else:
    exec(code)
    start(fd, *arguments)
{start}"""


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


def compiled(entry: Entry, there: "Mapping[str, int]") -> CodeType:
    """The code of a module in Python, without docstrings and what only mypy reads.

    there  the modules that are always loaded before it, or with it, and of which kind they are
    """
    name, path, kind, *_ = entry
    package = name if kind == unpack.PACKAGE else name.rpartition(".")[0]
    tree: ast.Module = Bare().visit(ast.parse(Path(path).read_bytes()))
    tree.body = [each for node in tree.body for each in taken(node, package, there)]
    code: CodeType = compile(tree, path, "exec", dont_inherit=True, optimize=2)
    return code


def taken(node: ast.stmt, package: str, there: "Mapping[str, int]") -> list[ast.stmt]:
    """For "from MODULE import NAME" a look into the module, if that is there; for any other statement itself.

    The interpreter asks the module for a __path__ first, and words an error when it has none: 10,000 instructions each time.
    """
    if not isinstance(node, ast.ImportFrom):
        return [node]
    source = resolve_name("." * node.level + (node.module or ""), package)
    places = [place(source, alias.name, there) for alias in node.names]
    if not all(places):
        return [node]
    text = "\n".join([f"{alias.asname or alias.name} = {where}" for alias, where in zip(node.names, places, strict=True)])
    return [ast.fix_missing_locations(ast.copy_location(each, node)) for each in ast.parse(text).body]


def place(source: str, name: str, there: "Mapping[str, int]") -> str:
    """Where "from SOURCE import NAME" finds what it imports; "" when that may have to be loaded first."""
    if f"{source}.{name}" in there:
        return f"{unpack.MODULES}[{f'{source}.{name}'!r}]"
    return f"{unpack.MODULES}[{source!r}].{name}" if there.get(source) == unpack.MODULE else ""


def described(name: str, path: Path, kind: int) -> Entry:
    """The entry of a module, see unpack.py."""
    found = path.stat()
    return name, str(path), kind, int(found.st_mtime), found.st_size


done: list[Entry] = []
"""The modules whose import is finished, in that order."""


def note(module: ModuleType, path: str, kind: int) -> None:
    """An import is finished."""
    if module.__name__.partition(".")[0] in unpack.PACKED:
        done.append(described(module.__name__, Path(path), kind))


class SourceRecorder(SourceFileLoader):
    """Notes the modules in Python."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        super().exec_module(module)
        note(module, self.path, unpack.PACKAGE if hasattr(module, "__path__") else unpack.MODULE)


class ExtensionRecorder(ExtensionFileLoader):
    """Notes the modules in C."""

    def exec_module(self, module: ModuleType) -> None:
        """See importlib.abc.Loader."""
        super().exec_module(module)
        note(module, self.path, unpack.EXTENSION)


def record(entry: str, packages: Path) -> list[Entry]:
    """Import the entry module from packages, and return the modules to be packed that this brought."""
    sys.path.insert(0, str(packages))
    loaders = (ExtensionRecorder, EXTENSION_SUFFIXES), (SourceRecorder, SOURCE_SUFFIXES)
    sys.path_hooks.insert(0, FileFinder.path_hook(*loaders))
    sys.path_importer_cache.clear()
    __import__(entry)
    return done


def others(modules: list[Entry], packages: Path) -> list[Entry]:
    """The modules of the same packages that the program does not import at once."""
    known = {entry[0] for entry in modules}
    found = []
    for top in sorted({name.partition(".")[0] for name in known}):
        for path in sorted((packages / top).rglob("*.py")):
            parts = path.relative_to(packages).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            if name not in known:
                found.append(described(name, path, unpack.PACKAGE if is_package else unpack.MODULE))
    return found


def packed(modules: list[Entry], later: list[Entry]) -> bytes:
    """The pack."""
    pieces, codes = [], []
    there = {entry[0]: entry[2] for entry in modules}
    for entry in modules:
        if entry[2] != unpack.EXTENSION:
            codes.append(compiled(entry, there))
            if len(marshal.dumps(tuple(codes))) >= PIECE:
                pieces.append(marshal.dumps(tuple(codes)))
                codes = []
    pieces.append(marshal.dumps(tuple(codes)))
    tail = [marshal.dumps(compiled(entry, there)) for entry in later]
    start = HEAD + sum(map(len, pieces))
    index: dict[str, bytes] = {}  # an entry that is asked for is unpacked, and no other
    for _ in range(2):  # where they begin depends on how long the index is, which has numbers of a fixed size
        at = start + len(marshal.dumps(index))
        for entry, code in zip(later, tail, strict=True):
            index[entry[0]] = marshal.dumps((entry, at, len(code)))
            at += len(code)
    listed = marshal.dumps(index)
    arguments = at, modules, [*map(len, pieces)], (at - start, len(listed))
    first = compiled(described("unpack", Path(unpack.__file__), unpack.MODULE), {})
    head = marshal.dumps((first, *arguments)).ljust(HEAD, b"\0")
    if len(head) > HEAD:
        raise SystemExit(f"pack.py: the head has {len(head)} bytes, more than {HEAD}")
    return b"".join([head, *pieces, listed, *tail])


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
    modules = record(entry, packages)
    content = packed(modules, others(modules, packages))
    from qsmtpd.qmail.durable import replace_file  # noqa: PLC0415 - after record(), which must see it imported

    # By the interpreter's version: what one has compiled may crash another.
    replace_file(target + sys.implementation.cache_tag, content)
    program = LAUNCHER.format(
        python=prefix / "bin/python3", source=f"{entry.partition('.')[0]}/launch/{launcher.name}", packages=str(packages),
        pack=target, head=HEAD, start=start)
    replace_file(str(prefix / "bin" / launcher.name), program.encode(), 0o755)


def main() -> None:
    """One process a program, for a module is imported once; it notes no columns, which would be a sixth of the pack."""
    prefix, *launchers = map(Path, sys.argv[1:])
    if NO_COLUMNS in sys._xoptions:  # noqa: SLF001 - there is no other way to ask
        pack(prefix.absolute(), launchers[0])
        return
    for launcher in launchers:
        subprocess.run([sys.executable, f"-ISX{NO_COLUMNS}", __file__, prefix, launcher], check=True)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

if __name__ == "__main__":
    main()
