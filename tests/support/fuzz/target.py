"""What is fuzzed: a reader, inputs to begin with, and what must hold for any input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cbsim.errors import CbsimError

__all__ = ["CORPUS", "Target", "allowed", "check_text"]

CORPUS = Path(__file__).parents[2] / "corpus"
"""A folder for each target; whatever a reader once stumbled over stays there."""


@dataclass(frozen=True)
class Target:
    """A reader. `read` raises nothing but what is a fault of ours, whatever it is given."""

    name: str
    read: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    """Sound inputs, made when they are needed."""
    shelf: str = ""
    """The folder of the corpus that it shares with others, where that is not its name."""

    @property
    def corpus(self) -> dict[str, bytes]:
        """Hostile inputs, each of which was refused wrongly once, by the names of their files."""
        folder = CORPUS / (self.shelf or self.name)
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}

    @cached_property
    def beginnings(self) -> list[bytes]:
        """Both together, the sound ones first."""
        return [*self.seeds(), *self.corpus.values()]


@contextmanager
def allowed() -> Iterator[None]:
    """An input may be refused, in a sentence in which nothing acts."""
    try:
        yield
    except CbsimError as error:
        said = str(error)
    else:
        return
    assert said, "a refusal without a word"
    check_text(said)


def check_text(text: str, longest: int = 20_000) -> None:
    """What a person is shown has lines, and no characters that act on a terminal."""
    acting = sorted({it for it in text if not it.isprintable() and it != "\n"})
    assert not acting, f"{acting} in {text[:300]!r}"
    assert len(text) <= longest, "too long to read"
