"""validusers as a postmaster runs it: what is built, what is said, and when the last cdb stays."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tools.qmailsite import Site, dot_qmail, dump, write_list
from tools.validusers.main import main

ROOT = Path(__file__).parent.parent.parent.parent


def test_a_small_site(site: Site) -> None:
    """Users, their extensions, aliases; nobody else."""
    site.account("joe", "", "-lists", "-shop-default")
    site.account("ann.smith")
    dot_qmail(site.alias, "-postmaster", "-root", "-info:en")

    assert site.build() == {
        "alias@here.test", "joe@here.test", "joe-lists@here.test", "joe-shop-default@here.test", "ann.smith@here.test",
        "postmaster@here.test", "root@here.test", "info.en@here.test",
        "alias-postmaster@here.test", "alias-root@here.test", "alias-info.en@here.test"}


def test_virtual_domains_and_assign(site: Site) -> None:
    site.write("rcpthosts", "here.test", "shop.test", "all.test")
    site.write("virtualdomains", "shop.test:shop", "all.test:joe-all", "boss@shop.test:joe")
    home = site.home("shop", "-sales", "-bills-default")
    site.assign(f"+shop-:shop:1:1:{home}:-::")
    site.account("joe", "-default")

    keys = site.build()

    assert {"sales@shop.test", "bills-default@shop.test", "boss@shop.test", "@all.test", "joe-default@here.test"} <= keys
    assert "nobody@shop.test" not in keys
    assert "@shop.test" not in keys


def test_the_summary_says_what_changed(site: Site, tmp_path: Path) -> None:
    first = write_list(tmp_path / "list", ["old@here.test", "stays@here.test"])
    site.build("--no-qmail", "--list", first)
    write_list(first, ["new@here.test", "stays@here.test", "stays@HERE.test"])

    code, out, err = site.run("--no-qmail", "--list", first)

    assert (code, err) == (0, "")
    assert out == (
        f"           3  list {first}\n"
        f"           2  in {site.cdb}: 1 new, 1 gone, 1 as before\n"
        "           1  new\n"
        "              + new@here.test\n"
        "           1  gone\n"
        "              - old@here.test\n")


def test_a_long_change_is_shown_in_part(site: Site, tmp_path: Path) -> None:
    addresses = write_list(tmp_path / "list", [f"user{number:03}@here.test" for number in range(100)])

    _, out, _ = site.run("--no-qmail", "--list", addresses)

    assert "+ user019@here.test\n" in out
    assert "+ user020@here.test" not in out
    assert "+ ... and 80 more\n" in out


@pytest.mark.parametrize("option", ["--dry-run", "-n"])
def test_a_dry_run_writes_nothing(site: Site, option: str) -> None:
    site.account("joe")

    code, out, _ = site.run(option)

    assert code == 0
    assert "+ joe@here.test" in out
    assert list(site.control.glob("validrcptto*")) == []


def test_print_lists_the_keys_and_nothing_else(site: Site) -> None:
    site.account("joe", "-default")

    code, out, err = site.run("--print")

    assert (code, err) == (0, "")
    assert out == "alias@here.test\njoe-default@here.test\njoe@here.test\n"
    assert not site.cdb.exists()


def test_most_of_the_addresses_are_not_lost_by_mistake(site: Site, tmp_path: Path) -> None:
    """An empty export, a home file system that is not mounted: the old cdb stays, and the person is asked."""
    addresses = write_list(tmp_path / "list", [f"user{number}@here.test" for number in range(10)])
    before = site.build("--no-qmail", "--list", addresses)
    write_list(addresses, [f"user{number}@here.test" for number in range(4)])

    code, _, err = site.run("--no-qmail", "--list", addresses)

    assert code == 100
    assert err == (f"validusers: {site.cdb} stays as it is: of its 10 addresses 6 would go, 4 be left; "
                   "-n shows which, --force does it\n")
    assert site.addresses() == before
    assert len(site.build("--no-qmail", "--list", addresses, "--force")) == 4


def test_half_of_the_addresses_may_go(site: Site, tmp_path: Path) -> None:
    addresses = write_list(tmp_path / "list", [f"user{number}@here.test" for number in range(10)])
    site.build("--no-qmail", "--list", addresses)

    write_list(addresses, [f"user{number}@here.test" for number in range(5)])

    assert len(site.build("--no-qmail", "--list", addresses)) == 5


def test_an_empty_cdb_which_refuses_all_mail_is_not_written(site: Site, tmp_path: Path) -> None:
    code, _, err = site.run("--no-qmail", "--list", write_list(tmp_path / "list", []))

    assert code == 100
    assert "no address was found, a file without one refuses all mail; --force writes it\n" in err
    assert not site.cdb.exists()


@pytest.mark.parametrize("arguments", [["--no-qmail"], ["--break=ab"], ["--break="]])
def test_a_wrong_use_is_one_line(site: Site, arguments: list[str]) -> None:
    code, out, err = site.run(*arguments)

    assert (code, out) == (100, "")
    assert err.startswith("validusers: ")
    assert err.count("\n") == 1


def test_a_list_that_is_not_there(site: Site, tmp_path: Path) -> None:
    code, _, err = site.run("--list", tmp_path / "nowhere")

    assert code == 111
    assert err == f"validusers: {tmp_path}/nowhere: No such file or directory\n"
    assert not site.cdb.exists()


def test_a_list_with_an_odd_name(site: Site, tmp_path: Path) -> None:
    addresses = write_list(tmp_path / "l\x1b\udcff", ["joe@here.test"])

    _, out, _ = site.run("--no-qmail", "--list", addresses)

    assert f"           1  list {tmp_path}/l\\x1b\\xff\n" in out


def test_a_wrong_assign_stops_everything(site: Site) -> None:
    """qmail-newu refuses the file, so what qmail goes by is something else."""
    site.assign("=joe:joe:1:1:/home/joe:")

    code, _, err = site.run()

    assert code == 100
    assert err.startswith(f"validusers: {site.users}/assign:1: expected =local:user:uid:gid:home:dash:ext:")
    assert not site.cdb.exists()


def test_a_wrong_line_in_a_list_costs_that_line(site: Site, tmp_path: Path) -> None:
    addresses = write_list(tmp_path / "list", ["good@here.test", "no address", "also@here.test"])

    code, _, err = site.run("--no-qmail", "--list", addresses)

    assert code == 100
    assert f'{addresses}:2: left out: expected user@domain, @domain or a comment, found "no address"' in err
    assert site.addresses() == {"good@here.test", "also@here.test"}


@pytest.mark.parametrize("names", [("control/locals",), ("control/rcpthosts",), ("passwd",)])
def test_what_cannot_be_read_is_no_default(site: Site, names: tuple[str, ...]) -> None:
    for name in names:
        (site.path / name).unlink(missing_ok=True)
        (site.path / name).mkdir()

    code, _, err = site.run()

    assert code == 111
    assert "Is a directory" in err
    assert not site.cdb.exists()


def test_an_unreadable_home_keeps_its_addresses(site: Site) -> None:
    """The user's own address is valid whatever is in the home; of the others nobody can say, so those of the last cdb stay."""
    home = site.home("joe", "-lists", "-shop-default")
    site.assign(f"=joe:joe:1:1:{home}:::", f"+joe-:joe:1:1:{home}:-::")
    site.account("ann", "-gone")
    before = site.build()
    home.rename(site.path / "away")
    (site.path / "home/ann/.qmail-gone").unlink()

    code, out, err = site.run()

    assert code == 111
    assert f"{home}: No such file or directory ({site.users}/assign:1): its extension addresses are not known" in err
    assert "2  kept, because a home directory could not be read\n" in out
    assert "? joe-lists@here.test" in out
    assert site.addresses() == before - {"ann-gone@here.test"}


@pytest.mark.root
def test_a_home_that_permissions_hide(site: Site) -> None:
    """Run by a user who may not look: said, exit code 111, and the addresses stay."""
    home = site.account("joe", "-lists")
    before = site.build()
    home.chmod(0o700)
    site.path.chmod(0o755)
    for place in (site.control, site.cdb):
        os.chown(place, 65533, -1)

    command = [sys.executable, "-c", "import sys; from tools.validusers.main import main; sys.exit(main())",
               "--passwd", site.passwd, "-n"]
    parents = [parent for parent in site.path.parents if not parent.stat().st_mode & 1]
    modes = {parent: parent.stat().st_mode for parent in parents}
    for parent in parents:
        parent.chmod(0o755)
    done = subprocess.run(command, cwd=ROOT, user=65533, capture_output=True, text=True, check=False)
    for parent, mode in modes.items():
        parent.chmod(mode & 0o7777)

    assert done.returncode == 111
    assert f"{home}: Permission denied" in done.stderr
    assert "? joe-lists@here.test" in done.stdout
    assert len(before) == 3


def test_what_would_be_accepted_and_then_bounce_is_shown(site: Site) -> None:
    dot_qmail(site.alias, "-gone", text="|bouncesaying 'No longer here'\n")
    dot_qmail(site.alias, "-stays", text="|bouncesaying 'Spam' grep -q viagra\n")

    _, out, _ = site.run()

    assert "accepted, and then bounced by their .qmail file\n              ! alias-gone\n              ! gone\n" in out
    assert "! stays" not in out


def test_an_output_elsewhere(site: Site, tmp_path: Path) -> None:
    site.account("joe")

    code, _, _ = site.run("--output", tmp_path / "other.cdb")

    assert code == 0
    assert b"joe@here.test" in dump(tmp_path / "other.cdb")
    assert not site.cdb.exists()


def test_a_reader_that_goes_away_is_no_trouble(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """validusers --print | head"""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        saved = os.dup(1)
        try:
            assert main(["--passwd", str(site.passwd), "--print"]) == 0
        finally:
            os.dup2(saved, 1)
            os.close(saved)
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), closed.fileno())


@pytest.fixture
def program(installation: Path) -> Path:
    return installation / "bin/validusers"


def numbered(count: int) -> Iterator[str]:
    """Addresses of 50 domains, in no order."""
    return (f"user{number * 7919 % count:08}@host{number % 50}.example" for number in range(count))


def large_site(path: Path, count: int) -> list[str]:
    """A control directory and a list; returns the arguments."""
    (path / "control").mkdir()
    (path / "control/rcpthosts").write_text("".join(f"host{number}.example\n" for number in range(50)))
    return ["--no-qmail", "--list", str(write_list(path / "list", numbered(count)))]


def test_a_hundred_thousand_addresses(program: Path, tmp_path: Path) -> None:
    """The installed program, started as a person does."""
    arguments = large_site(tmp_path, 100_000)
    environment = {**os.environ, "CONTROLDIR": str(tmp_path / "control")}

    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert " 100,000  in " in done.stdout
    assert {key.decode() for key in dump(tmp_path / "control/validrcptto.cdb")} == set(numbered(100_000))


@pytest.mark.soak
def test_ten_million_addresses(program: Path, tmp_path: Path) -> None:
    """The budget: 60 s and 500 MiB, also when there is a cdb to compare with."""
    arguments = large_site(tmp_path, 10_000_000)
    environment = {**os.environ, "CONTROLDIR": str(tmp_path / "control")}
    for _ in range(2):
        began = time.monotonic()
        process = psutil.Popen([program, *arguments], env=environment, stdout=subprocess.DEVNULL)
        largest = 0
        while process.poll() is None:
            largest = max(largest, memory(process))
            time.sleep(0.1)

        assert process.returncode == 0
        assert time.monotonic() - began < 60
        assert largest < 500 * 1024 * 1024


def memory(process: psutil.Process) -> int:
    """Bytes of a process and its children."""
    try:
        return sum(each.memory_info().rss for each in (process, *process.children()))
    except psutil.Error:
        return 0
