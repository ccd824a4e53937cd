"""Did you mean ...: the word that is nearest to a misspelt one."""


def nearest(word: str, words: "Iterable[str]") -> str:
    """The word that fewest slips turn into this one; "" when that takes more than a third of its letters, and more than one.

    Words are looked at in their order, and of several that are equally near the first is taken.
    """
    best, fewest = "", max(1, len(word) // 3) + 1
    for candidate in words:
        if abs(len(candidate) - len(word)) < fewest:
            count = slips(word, candidate)
            if count < fewest:
                best, fewest = candidate, count
    return best


def slips(left: str, right: str) -> int:
    """How many letters were left out, added, mistaken or exchanged with the next one."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            count = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                count = min(count, earlier[j - 2] + 1)
            row.append(count)
    return row[-1]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
