"""tcpsmtp and examples/tcp.smtp as they are shipped: with make, tcprules and tcprulescheck themselves."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.tcprules import parse
from tools.tcpsmtp import PartError, main, read_part

EXAMPLE = Path(__file__).parents[2] / "examples/tcp.smtp"


class Rules:
    """A copy of the example, and the programs that work on it."""

    def __init__(self, path: Path, program: Path) -> None:
        self.path = path
        self.file = path / "tcp.smtp"
        self.parts = path / "tcp.smtp.d"
        self.cdb = path / "tcp.smtp.cdb"
        self._program = program

    def make(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*prefix, "make", "-s", f"TCPSMTP={self._program}", *arguments]
        return subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=False, timeout=60)

    def check(self, ip: str, **client: str) -> str:
        done = self.make("check", f"ip={ip}", *(f"{name}={value}" for name, value in client.items()))
        return done.stdout

    def part(self, name: str, text: str) -> Path:
        path = self.parts / name
        path.write_text(text)
        return path


@pytest.fixture
def rules(tmp_path: Path, installation: Path) -> Rules:
    shutil.copytree(EXAMPLE, tmp_path / "rules")
    return Rules(tmp_path / "rules", installation / "bin/tcpsmtp")


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> "Run":
    """tcpsmtp in a directory with an empty tcp.smtp.d: exit code, output, messages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tcp.smtp.d").mkdir()

    def runs(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        return code, *capfd.readouterr()

    return runs


Run = Callable[..., tuple[int, str, str]]


def test_the_example_does_what_its_comments_say(rules: Rules) -> None:
    done = rules.make()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "RELAYCLIENT=\n" in rules.check("127.0.0.1")
    assert "RELAYCLIENT=\n" in rules.check("192.168.1.7")
    assert rules.check("192.168.1.20").startswith("rule 192.168.1.20:\n")
    assert "RELAYCLIENT=\n" in rules.check("10.0.3.9")
    assert "RELAYCLIENT" not in rules.check("10.0.4.9")
    assert rules.check("198.51.100.66").endswith("deny connection\n")
    assert rules.check("203.0.113.25").startswith("rule 203.0.113.25:\n")
    assert rules.check("192.0.2.1", host="mx.partner.example").startswith("rule =.partner.example:\n")
    assert rules.check("192.0.2.1", host="mx.partner.example.evil.example").startswith("rule :\n")


def test_the_built_files_may_be_read_by_tcpserver(rules: Rules) -> None:
    """It looks rules up as qmaild; root's umask may be anything."""
    rules.make(prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))

    assert rules.cdb.stat().st_mode & 0o777 == 0o644


def test_make_sees_a_change_at_once(rules: Rules) -> None:
    """Also one that is not newer than the cdb, for two programs work on the directory."""
    rules.make()
    part = rules.part("50-block", "192.0.2.9:deny\n")
    os.utime(part, (1, 1))
    rules.make()
    assert rules.check("192.0.2.9").endswith("deny connection\n")

    part.unlink()
    rules.make()
    assert rules.check("192.0.2.9").startswith("rule :\n")


def test_a_mistake_of_the_administrator_keeps_the_old_cdb(rules: Rules) -> None:
    rules.make()
    before = rules.cdb.read_bytes()
    rules.file.write_text("10.0.0.0/24:deny\n:allow\n2001:db8::1:deny\n")

    done = rules.make()

    assert done.returncode != 0
    assert "tcpsmtp: tcp.smtp:1: expected 1.2.3. for 1.2.3.0/24" in done.stderr
    assert "tcpsmtp: tcp.smtp:3: expected allow or deny right after the first colon; IPv6" in done.stderr
    assert "tcpsmtp: nothing was joined\n" in done.stderr
    assert rules.cdb.read_bytes() == before


@pytest.mark.parametrize("text", [
    "2001:db8::1:deny\n", "192.0.2.9:deny", "192.0.2.9:deny\n192.0.2.10:den", '192.0.2.9:allow,A="x\n'])
def test_a_bad_part_is_left_out_and_the_rest_is_built(rules: Rules, text: str) -> None:
    """A118: cut off in the middle, or written by a program that knows IPv6."""
    rules.part("50-bad", text)
    rules.part("60-good", "192.0.2.77:deny\n")

    done = rules.make()

    assert done.returncode == 0
    assert re.search(r"tcpsmtp: tcp\.smtp\.d/50-bad:[12]: expected .*\ntcpsmtp: tcp\.smtp\.d/50-bad is left out\n", done.stderr)
    assert rules.check("192.0.2.77").endswith("deny connection\n")
    assert rules.check("192.0.2.9").startswith("rule :\n")


def test_a_missing_directory_keeps_the_old_cdb(rules: Rules) -> None:
    """A118: whom its files block would be let in."""
    rules.make()
    before = rules.cdb.read_bytes()
    shutil.rmtree(rules.parts)

    done = rules.make()

    assert done.returncode != 0
    assert "tcpsmtp: tcp.smtp.d: No such file or directory" in done.stderr
    assert rules.cdb.read_bytes() == before


def test_a_full_disk_keeps_the_old_cdb(rules: Rules) -> None:
    """A118: a limit on the size of files stands for the disk, once too small for the joined file, once for the cdb."""
    rules.make()
    before = rules.cdb.read_bytes()
    rules.part("50-many", "".join(f"192.0.{number // 256}.{number % 256}:deny\n" for number in range(3000)))

    for blocks in ("8", "120"):
        done = rules.make(prefix=("sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"))

        assert done.returncode != 0
        assert rules.cdb.read_bytes() == before
    assert rules.make().returncode == 0
    assert rules.check("192.0.11.9").endswith("deny connection\n")


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_killed_at_any_time_the_cdb_is_whole(rules: Rules, wait: float) -> None:
    """A118: the old one or the new one, and the next make goes on."""
    rules.make()
    before = rules.cdb.read_bytes()
    rules.part("50-many", "".join(f"192.0.{number // 256}.{number % 256}:deny\n" for number in range(5000)))
    process = subprocess.Popen(["make", "-s", f"TCPSMTP={rules._program}"], cwd=rules.path, start_new_session=True)
    time.sleep(wait)
    os.killpg(process.pid, 9)
    process.wait()

    whole = rules.cdb.read_bytes()
    assert rules.make().returncode == 0
    assert whole in (before, rules.cdb.read_bytes())


def test_two_makes_at_once_do_not_mix(rules: Rules) -> None:
    """A118: they take turns, and the last word is that of the files."""
    rules.part("50-many", "".join(f"192.0.{number // 256}.{number % 256}:deny\n" for number in range(3000)))
    processes = [subprocess.Popen(["make", "-s", f"TCPSMTP={rules._program}"], cwd=rules.path) for _ in range(4)]

    assert [process.wait() for process in processes] == [0] * 4
    assert rules.check("192.0.11.9").endswith("deny connection\n")


def test_order_and_names_of_the_parts(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text("# mine\n1.1.1.1:deny\n\n:allow\n")
    for number, name in enumerate(("20-b", "10-a", ".hidden", "30-c~", "40-d.tmp")):
        (tmp_path / "tcp.smtp.d" / name).write_text(f"2.2.2.{number}:deny\n")

    code, out, err = run("tcp.smtp", "tcp.smtp.d")

    assert (code, err) == (0, "")
    assert out.split("\n")[1:] == [
        "# tcp.smtp", "1.1.1.1:deny", ":allow", "# tcp.smtp.d/10-a", "2.2.2.1:deny", "# tcp.smtp.d/20-b", "2.2.2.0:deny", ""]


def test_the_administrators_rule_wins_and_it_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text('10.0.0.1-9:allow,RELAYCLIENT=""\n')
    (tmp_path / "tcp.smtp.d/50-block").write_text("10.0.0.5:deny\n")

    code, _, err = run("tcp.smtp", "tcp.smtp.d")

    assert code == 0
    assert err == ('tcpsmtp: warning: tcp.smtp.d/50-block:1: the rule for "10.0.0.5" has no effect: '
                   "tcp.smtp:1 is the first for it, and wins\n")


def test_a_part_that_takes_a_setting_away_is_told_of(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text('10.:allow,RELAYCLIENT="",A="1"\n10.0.0.1:allow\n:allow,QMAILQUEUE="q"\n')
    (tmp_path / "tcp.smtp.d/50-x").write_text('10.0.0.2:allow,A="2"\n10.0.0.3:deny\n=.test:allow,QMAILQUEUE="r"\n')

    _, _, err = run("tcp.smtp", "tcp.smtp.d")

    assert err == ('tcpsmtp: warning: tcp.smtp.d/50-x:1: "10.0.0.2" goes without RELAYCLIENT, which tcp.smtp:1 sets: '
                   "a narrower rule replaces the wider one, it does not add to it\n")


def test_many_warnings_are_counted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text("10.0.0.1:deny\n" * 100)

    _, _, err = run("tcp.smtp", "tcp.smtp.d")

    assert err.count("\n") == 21
    assert err.endswith("tcpsmtp: warning: ... and 79 more\n")


def test_what_is_no_file_is_left_out(run: Run, tmp_path: Path) -> None:
    """A132: a FIFO does not stop the build, a directory and a dangling link do not either."""
    (tmp_path / "tcp.smtp").write_text(":allow\n")
    os.mkfifo(tmp_path / "tcp.smtp.d/fifo")
    (tmp_path / "tcp.smtp.d/dir").mkdir()
    (tmp_path / "tcp.smtp.d/link").symlink_to("nowhere")

    code, out, err = run("tcp.smtp", "tcp.smtp.d")

    assert code == 0
    assert out.endswith("\n:allow\n")
    for name in ("fifo", "dir", "link"):
        assert f"tcpsmtp: tcp.smtp.d/{name} is left out\n" in err


def test_a_name_of_a_part_cannot_write_rules_or_move_a_terminal(run: Run, tmp_path: Path) -> None:
    """A115: it stands in the joined file, in a comment, and in messages."""
    (tmp_path / "tcp.smtp").write_text(":allow\n")
    name = '10\n:allow,RELAYCLIENT=""'
    (tmp_path / "tcp.smtp.d" / name).write_text("192.0.2.1:deny\n")
    (tmp_path / "tcp.smtp.d/\x1b[2J\udcff").write_text("wrong\n")

    code, out, err = run("tcp.smtp", "tcp.smtp.d")

    assert code == 0
    assert '# tcp.smtp.d/10\\x0a:allow,RELAYCLIENT=""\n192.0.2.1:deny\n' in out
    assert "tcpsmtp: tcp.smtp.d/\\x1b[2J\\xff is left out\n" in err


def test_what_everybody_may_write_to_is_no_part(run: Run, tmp_path: Path) -> None:
    """A133: or any account on the host could make itself a relay client."""
    (tmp_path / "tcp.smtp").write_text(":allow\n")
    (tmp_path / "tcp.smtp.d/open").write_text('192.0.2.1:allow,RELAYCLIENT=""\n')
    (tmp_path / "tcp.smtp.d/open").chmod(0o666)

    code, out, err = run("tcp.smtp", "tcp.smtp.d")

    assert code == 0
    assert "RELAYCLIENT" not in out
    assert "tcp.smtp.d/open: everybody may write to it: chmod o-w" in err
    (tmp_path / "tcp.smtp").chmod(0o666)
    assert run("tcp.smtp", "tcp.smtp.d")[0] == 100


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (("nowhere",), 111, "tcpsmtp: nowhere: No such file or directory\n"),
    (("tcp.smtp", "nowhere"), 111, "tcpsmtp: nowhere: No such file or directory\n"),
    (("tcp.smtp.d",), 111, "tcpsmtp: tcp.smtp.d: Is a directory\n"),
    (("-o", "no/where", "tcp.smtp"), 111, "tcpsmtp: no/where.tmp: No such file or directory\n"),
])
def test_trouble_is_told_in_a_line(run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    (tmp_path / "tcp.smtp").write_text(":allow\n")

    assert run(*arguments) == (code, "", message)


def test_all_mistakes_of_a_file_are_shown_up_to_a_number(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text("wrong\n" * 50)

    code, _, err = run("tcp.smtp")

    assert code == 100
    assert err.count("expected address:allow or address:deny") == 20
    assert "tcpsmtp: tcp.smtp: and 30 more\n" in err


def test_without_an_output_it_goes_to_standard_output(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tcp.smtp").write_text(":allow\n")

    _, out, _ = run("tcp.smtp")
    assert run("-o", "joined", "tcp.smtp") == (0, "", "")

    assert (tmp_path / "joined").read_text() == out


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([b"10.:deny", b"", b"#", b'1.2.3.4-6:allow,A="x"  ', b":allow", b"bad"])), st.booleans())
def test_a_part_is_whole_or_nothing(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "part"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
    if b"bad" in lines or (not ended and lines and lines[-1]):
        with pytest.raises(PartError):
            read_part(str(path))
    else:
        assert [rule for _, rule in read_part(str(path)).rules] == [rule for rule in map(parse, lines) if rule]
