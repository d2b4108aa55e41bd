"""Scores as cells of tables: of segmentations and of masks alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fgnet.report import html

LESS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Column:
    """A score: its title, its name in a row of scores, and whether more is better."""

    title: str
    name: str
    more: bool = False

    def of(self, row: Any) -> float:
        """The score, rounded as it is shown."""
        return round(float(getattr(row, self.name)), 4)


def number(value: float) -> str:
    """A score as text."""
    return f"{value:.4f}"


def signed(value: float) -> str:
    """A difference with its sign."""
    text = number(abs(value))
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else LESS}{text}"


def below(content: html.Content, small: str) -> html.Html:
    """Something, and in small letters beneath it something else."""
    return html.Html(f"{html.text(content)}<br/><small>{html.text(small)}</small>")


def marked(
    content: html.Content, value: float | None, others: Sequence[float | None], more: bool = False
) -> html.Content:
    """A score as the page shows it; the best of several stands out, unless all are equal.

    Args:
        value: the score, rounded as it is shown, so that what looks equal is equal.
        others: the scores to compare with, its own among them; None where there is none.
        more: whether more is better.
    """
    known = [one for one in others if one is not None]
    if len(set(known)) > 1 and value == (max(known) if more else min(known)):
        return html.tag("strong", content)
    return content


def with_interval(content: html.Content, known: tuple[float, float] | None) -> html.Content:
    """A score, and its interval beneath, where there is one."""
    return content if known is None else below(content, f"{number(known[0])} to {number(known[1])}")


def against_best(difference: float, known: tuple[float, float] | None) -> html.Content:
    """How far one is from the best, and beneath it the interval of that, where there is one."""
    words = signed(difference)
    if known is None:
        return below(words, "no interval")
    low, high = known
    apart = "" if low > 0 or high < 0 else ", not told apart"
    return below(words, f"{signed(low)} to {signed(high)}{apart}")
