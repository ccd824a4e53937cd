"""holdq: the runner, and a person's view of what is held (holdq(8)).  Exit 100: the person's mistake; 111: trouble."""

import argparse
import io
import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from qsmtpd.qmail import env, process
from qsmtpd.qmail.control import Control, ControlError
from qsmtpd.qmail.settings import Settings

from . import config, create, layout, view
from .heldfile import BusyError, HeldFile, OddError
from .store import Store
from .view import Place

MISTAKE = 100
TROUBLE = 111
OUTPUT = "standard output"

EXAMPLES = """\
examples:
  holdq init --one-uid        make the spool, for a site where everything runs as one user
  holdq run                   deliver what is held; started by supervise
  holdq list                  what is held, and why
  holdq show 9f3c2a           state and header of one message; the end of its ID is enough
  holdq release --all         try everything now, whatever the load
  holdq release --dead        give everything in dead/ another chance
  holdq show --whole 9f3c2a > message && holdq remove 9f3c2a
"""


class _Output(io.FileIO):
    """Standard output, whose trouble is told by that name."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, OUTPUT) from error


class MistakeError(Exception):
    """The person asked for something that cannot be; str() says what to do."""


def main(argv: list[str] | None = None) -> None:
    """Run a subcommand, and end the process with its exit code."""
    process.prepare()
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Output(1, "w", closefd=False)), sys.stdout.encoding, sys.stdout.errors,
                                  line_buffering=os.isatty(1))
    arguments = _parser().parse_args(argv)
    command: Callable[[layout.Spool, argparse.Namespace], int] = arguments.command
    try:
        settings = Settings(config.QUEUE_SETTINGS, Control(env.control_directory()))
        code = command(layout.Spool(os.path.abspath(config.spool_directory(settings))), arguments)
        sys.stdout.flush()
    except (MistakeError, create.SpoolError) as error:
        code = _say(MISTAKE, str(error))
    except PermissionError as error:
        code = _say(MISTAKE, f"{error.filename}: permission denied: run me as root, or as the user who owns the spool")
    except FileNotFoundError as error:
        code = _say(MISTAKE, f'{error.filename}: not there: is HOLDQ right?  "holdq init" makes a spool')
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = TROUBLE
    except ControlError as error:
        code = _say(TROUBLE, str(error))
    except OSError as error:
        code = _say(TROUBLE, f"{error.filename or 'spool'}: {error.strerror or error}")
        if error.filename == OUTPUT:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter would try once more, and exit 120
    except KeyboardInterrupt:
        code = TROUBLE
    sys.exit(code)


def _say(code: int, why: str) -> int:
    sys.stderr.write(f"holdq: {why.encode('ascii', 'backslashreplace').decode()}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="holdq", description="Held mail: deliver it, look at it, let it go.", epilog=EXAMPLES,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, command: Callable[[layout.Spool, argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.set_defaults(command=command)
        return made

    one = add("init", _init, "make the spool, or mend its owners and modes")
    one.add_argument("--one-uid", action="store_true", help="it belongs to me; for a site where everything runs as one user")
    add("run", _run, "deliver what is held, until TERM; ALRM: retry now, HUP: read the settings again")
    add("list", _list, "list what is held, oldest first")
    one = add("show", _show, "show the state and the header of a message")
    one.add_argument("id", metavar="ID", help="its ID, or at least six characters of its beginning or end")
    one.add_argument("--whole", action="store_true", help="print the message itself, as it is, and nothing else")
    one = add("release", _release, "have messages tried now, past the gate; also such as are dead")
    one.add_argument("ids", metavar="ID", nargs="*", help="as for show")
    one.add_argument("--all", action="store_true", help="all that are held")
    one.add_argument("--dead", action="store_true", help="all that are dead")
    one = add("remove", _remove, "remove messages for ever")
    one.add_argument("ids", metavar="ID", nargs="+", help="as for show")
    add("stat", _stat, "count what is held, and say whether the gate is open")
    return parser


class _Parser(argparse.ArgumentParser):
    """Exit 100 for a person's mistake, and one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISTAKE, f"{self.prog}: {message}: see {self.prog} --help\n")


def _init(spool: layout.Spool, arguments: argparse.Namespace) -> int:
    owner = create.owner(one_uid=arguments.one_uid)
    create.create(spool, owner)
    print(f"{spool.directory}: ready, uid {owner.uid}, gid {owner.gid}")
    return 0


def _run(spool: layout.Spool, _: argparse.Namespace) -> int:
    from . import runner  # noqa: PLC0415  # psutil and threads, only for the runner

    os.umask(0o077)  # as qmail-local's, for the programs that we start
    create.check(spool)
    # Absolute, for we leave this directory.
    env.put("CONTROLDIR", os.path.abspath(env.control_directory()))
    env.put("QMAILHOME", os.path.abspath(env.qmail_home()))
    env.put(config.RUNNING, spool.directory)
    control = Control(env.control_directory())
    try:
        held = runner.lock(spool)
        made = runner.Runner(spool, control)
    except runner.CannotRunError as error:
        return _say(TROUBLE, str(error))
    home = env.qmail_home()
    os.chdir(home if os.path.isdir(home) else spool.directory)  # where a queue program expects to stand
    if not os.geteuid():
        runner.log("warning", (("why", b"run as root: run me as the user holdq, or as the one uid of a small site"),))
    made.run()
    os.close(held)
    return 0


def _list(spool: layout.Spool, _: argparse.Namespace) -> int:
    for line in view.table(Store(spool), time.time()):
        print(line)
    return 0


def _show(spool: layout.Spool, arguments: argparse.Namespace) -> int:
    store = Store(spool)
    place = _one(store, arguments.id)
    try:
        if arguments.whole:
            with HeldFile(place.path, lock=False) as file:
                for piece in file.body():
                    sys.stdout.buffer.write(piece)
            return 0
        for line in view.description(store, place, time.time()):
            print(line)
        print(flush=True)
        sys.stdout.buffer.write(view.header(place, escaped=sys.stdout.isatty()))
    except OddError as error:
        raise MistakeError(f"{place.held.identity}: {error}: the runner will put it aside") from error
    return 0


def _release(spool: layout.Spool, arguments: argparse.Namespace) -> int:
    store = Store(spool)
    if not (arguments.ids or arguments.all or arguments.dead):
        raise MistakeError("release what?  Name an ID, --all or --dead")
    chosen = [_one(store, word) for word in arguments.ids]
    chosen += [place for place in view.places(store) if (arguments.dead if place.state == view.DEAD else arguments.all)]
    code = _each(chosen, "released", lambda place: _release_one(store, place))
    layout.poke(spool, b"r")
    return code


def _release_one(store: Store, place: Place) -> None:
    if place.state == view.INCOMING:
        store.claim(place.held.identity, released=True)
        return
    with HeldFile(place.path, lock=True) as file:
        if place.state == view.DEAD:
            store.revive(place.held, file)
        else:
            store.release(place.held)


def _remove(spool: layout.Spool, arguments: argparse.Namespace) -> int:
    store = Store(spool)
    return _each([_one(store, word) for word in arguments.ids], "removed", lambda place: _remove_one(store, place))


def _remove_one(store: Store, place: Place) -> None:
    with HeldFile(place.path, lock=True):
        if place.state == view.INCOMING:
            store.drop(place.held.identity)
        else:
            store.finish(place.held, dead=place.state == view.DEAD)


def _each(chosen: list[Place], word: str, do: Callable[[Place], None]) -> int:
    """Do it to each, say what was done; a message that cannot be touched does not spare the others."""
    code = 0
    for place in chosen:
        identity = place.held.identity
        try:
            do(place)
        except BusyError:
            doing = "being delivered just now" if place.held.crashes else "locked by another process"
            code = _say(TROUBLE, f"{identity}: {doing}: try again when it has ended")
        except PermissionError as error:
            code = _say(TROUBLE, f"{identity}: {error.strerror}: run me as root, or mend the file's group and mode")
        except FileNotFoundError:
            code = _say(TROUBLE, f"{identity}: gone, or changed, while I looked: holdq list tells")
        except OddError as error:
            code = _say(TROUBLE, f"{identity}: {error}: the runner will put it aside")
        else:
            print(f"{identity} {word}")
    return code


def _stat(spool: layout.Spool, _: argparse.Namespace) -> int:
    from . import load  # noqa: PLC0415  # psutil

    for line in view.statistics(Store(spool), time.time()):
        print(line)
    settings = Settings(config.RUN_SETTINGS, Control(env.control_directory()))
    limits = load.limits(settings.number("holdqload"), settings.number("holdqmemory"), load.processors())
    now = load.read()
    why = load.closed(now, limits)
    state = f"closed: {why}" if why else "open"
    print(f"gate    {state} (load {now.minute:.2f} of {limits.minute:g}, "
          f"memory {now.available >> 20} MiB, wanted {limits.available >> 20})")
    return 0


def _one(store: Store, word: str) -> Place:
    found = view.find(store, word)
    if not found:
        short = ": give at least six characters" if len(word) < 6 else ""
        raise MistakeError(f"{word}: no such message{short}; holdq list names them")
    if len(found) > 1:
        raise MistakeError(f"{word}: {len(found)} messages are called so: give more of the ID")
    return found[0]
