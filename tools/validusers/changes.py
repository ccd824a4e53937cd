"""What is new and what is gone between two sorted streams of keys."""

from collections.abc import Callable, Iterable, Iterator

from .report import Sample


class Changes:
    """The difference between the last cdb and the new one; whole once merge() is exhausted.

    kept  keys that only the last cdb has, and that stay because nobody knows better
    """

    def __init__(self) -> None:
        self.added = Sample()
        self.removed = Sample()
        self.kept = Sample()
        self.same = 0

    @property
    def before(self) -> int:
        return self.same + self.removed.count + self.kept.count

    @property
    def after(self) -> int:
        return self.same + self.added.count + self.kept.count

    def merge(self, new: Iterable[bytes], old: Iterable[bytes], keep: Callable[[bytes], bool]) -> Iterator[bytes]:
        """The keys of the new cdb, in order.

        new, old  sorted, each key once
        keep      asked for each key that is gone
        """
        rest = iter(old)
        previous = next(rest, None)
        for key in new:
            while previous is not None and previous < key:
                yield from self._gone(previous, keep)
                previous = next(rest, None)
            if previous == key:
                self.same += 1
                previous = next(rest, None)
            else:
                self.added.add(key)
            yield key
        while previous is not None:
            yield from self._gone(previous, keep)
            previous = next(rest, None)

    def loses_most(self) -> bool:
        """Whether more than half of the keys would go, or nothing would be left: rather a mistake than a wish."""
        return self.removed.count * 2 > self.before or not self.after

    def _gone(self, key: bytes, keep: Callable[[bytes], bool]) -> Iterator[bytes]:
        if keep(key):
            self.kept.add(key)
            yield key
        else:
            self.removed.add(key)
