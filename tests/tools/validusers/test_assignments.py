"""The search for who controls an address: simple beats wildcard, the longest wildcard wins, the first of two equal ones."""

from hypothesis import given
from hypothesis import strategies as st

from tools.validusers.assignments import Assignment, Users


def simple(local: bytes, home: bytes, ext: bytes = b"") -> Assignment:
    return Assignment(local, False, home, b"-", ext, "f")


def wildcard(local: bytes, home: bytes, ext: bytes = b"") -> Assignment:
    return Assignment(local, True, home, b"-", ext, "f")


def home(users: Users, local: bytes) -> bytes | None:
    found = users.owner(local)
    return found[0].home if found else None


def test_the_example_of_the_manual() -> None:
    """qmail-users(5)."""
    users = Users([wildcard(b"", b"alias"), wildcard(b"joe-", b"joe"), simple(b"joe", b"joe")])

    assert [home(users, local) for local in (b"joe", b"joe-direct", b"bill")] == [b"joe", b"joe", b"alias"]


def test_the_rest_of_the_address_is_appended() -> None:
    users = Users([wildcard(b"joe-", b"joe", b"pre")])

    assert users.owner(b"joe-x")[1] == b"prex"  # type: ignore[index]
    assert users.owner(b"joe-")[1] == b"pre"  # type: ignore[index]
    assert users.owner(b"joe") is None


def test_first_duplicate_wins() -> None:
    users = Users([simple(b"a", b"1"), simple(b"a", b"2"), wildcard(b"a", b"3"), wildcard(b"a", b"4")])

    assert home(users, b"a") == b"1"
    assert home(users, b"ab") == b"3"
    assert [each.home for each in users] == [b"1", b"3"]


def test_the_first_source_decides_even_with_a_shorter_wildcard() -> None:
    """users/assign with its +: hides all of /etc/passwd."""
    users = Users([wildcard(b"", b"assign")], [simple(b"joe", b"joe"), wildcard(b"joe-", b"joe")])

    assert home(users, b"joe") == b"assign"
    assert home(users, b"joe-x") == b"assign"


def test_who_covers_all_with_a_beginning() -> None:
    users = Users([wildcard(b"joe-", b"joe"), wildcard(b"joe-a-", b"other"), simple(b"joe-b", b"simple")])

    assert users.owner_of_all(b"joe-").home == b"joe"  # type: ignore[union-attr]
    assert users.owner_of_all(b"joe-a-x").home == b"other"  # type: ignore[union-attr]
    assert users.owner_of_all(b"joe-b").home == b"joe"  # type: ignore[union-attr]
    assert users.owner_of_all(b"jo") is None


LOCAL = st.text("ab-", max_size=5).map(str.encode)


@given(st.lists(st.tuples(st.booleans(), LOCAL)), LOCAL)
def test_the_owner_is_the_most_exact(rows: list[tuple[bool, bytes]], local: bytes) -> None:
    users = Users([Assignment(word, wild, b"%d" % number, b"-", b"", "f") for number, (wild, word) in enumerate(rows)])

    fitting = [(not wild, len(word), -number) for number, (wild, word) in enumerate(rows)
               if (local.startswith(word) if wild else local == word)]

    assert home(users, local) == (b"%d" % -max(fitting)[2] if fitting else None)
