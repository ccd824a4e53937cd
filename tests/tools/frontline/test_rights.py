"""Who may read and write, against the kernel's own answer."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import let_others_in
from tools.frontline.rights import READ, SEARCH, WRITE, User, control_files, state

ME = pwd.getpwuid(os.getuid()).pw_name


def test_nobody_of_that_name() -> None:
    with pytest.raises(KeyError):
        User("nobody-has-this-name")


@pytest.mark.root
@given(mode=st.integers(0, 0o777), mine=st.booleans(), ours=st.booleans())
def test_as_the_kernel_says(
        mode: int, mine: bool, ours: bool, accounts: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """test(1) as qmaild."""
    directory = tmp_path_factory.getbasetemp()
    let_others_in(directory)
    file, user = directory / "file", User("qmaild")
    file.touch()
    os.chown(file, user.uid if mine else 0, next(iter(user.groups)) if ours else 0)
    file.chmod(mode)

    script = f"for want in r w x; do test -$want {file} && echo $want; done; true"
    done = subprocess.run(["setuidgid", "qmaild", "sh", "-c", script], capture_output=True, text=True, check=True)

    wants = {"r": READ, "w": WRITE, "x": SEARCH}
    assert done.stdout.split() == [name for name, want in wants.items() if user.may(str(file), want)]


@pytest.mark.root
def test_a_directory_above_that_is_closed(accounts: None, tmp_path: Path) -> None:
    let_others_in(tmp_path)
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed/me").write_text("mx\n")

    assert not User("qmaild").may(str(tmp_path / "closed/me"), READ)


@pytest.mark.root
def test_what_sessions_cannot_read_and_others_can_write(accounts: None, tmp_path: Path) -> None:
    let_others_in(tmp_path)
    for name, mode in (("me", 0o600), ("rules", 0o666), ("tags", 0o644), ("other", 0o666)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "servercert.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "servercert.pem").chmod(0o644)

    findings = control_files(str(tmp_path), ["me", "rules", "tags"], User("qmaild"))
    found = [str(each).removeprefix(f"{tmp_path}/") for each in findings]

    assert found == [
        "me: error: qmaild may not read it, so what needs it is answered 4xx; chmod 644",
        "rules: error: everybody may write to it; chmod o-w",
        "servercert.pem: warning: everybody may read this private key; chmod o-r"]


def test_the_directory_of_what_is_remembered(tmp_path: Path) -> None:
    place = tmp_path / "frontline"
    user = User(ME)

    assert [str(each) for each in state(str(place), user)] == [
        f"{place}: error: not there: what the rules ask of the store is unknown; install -d -o {ME} -m 700 {place}"]
    place.mkdir(mode=0o700)
    assert list(state(str(place), user)) == []
    place.chmod(0o770)
    assert [str(each) for each in state(str(place), user)] == [
        f"{place}: error: others may write to it (mode 770), so it is not used; chmod go-w"]


@pytest.mark.root
def test_a_store_that_root_has_made(accounts: None, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").touch(mode=0o600)
    os.chown(tmp_path, User("qmaild").uid, -1)

    assert [str(each) for each in state(str(tmp_path), User("qmaild"))] == [
        f"{tmp_path}/store.sqlite: error: belongs to uid 0: qmaild cannot remember anything; chown qmaild"]
