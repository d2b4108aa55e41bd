"""How far one follows a neuron through each segmentation, where there are skeletons to follow."""

from collections.abc import Sequence

from fgnet import scores
from fgnet.report import html
from fgnet.report.columns import below, marked
from fgnet.report.evaluate.results import Entry

WORDS = (
    "Expected run length: how far one follows a neuron along its centre line before the "
    "segmentation is wrong. Normalised, 1 is perfect. Beneath is where the middle 95 % of "
    "{resamples:,} resamples of the neurons lie; a single neuron gives none."
)
HEADER = (
    "segmentation", "ERL, µm", "normalised", "ERL if mergers were no error, µm", "mergers",
    "path correct", "merged", "split", "omitted",
)  # fmt: skip


def show(entries: Sequence[Entry]) -> html.Html:
    """A row for each segmentation that has run lengths, and what they were measured along."""
    found = [
        (entry, scores.read(entry.run_lengths, scores.RunLengths))
        for entry in entries
        if entry.run_lengths is not None
    ]
    if not found:
        return html.Html("")
    rows: list[list[html.Content]] = []
    for entry, file in found:
        if file.chosen is None:
            continue
        rivals = [
            other.chosen.normalised
            for one, other in found
            if one.volume == entry.volume and other.chosen is not None
        ]
        rows.append([below(entry.place, entry.method), *cells(file, file.chosen, rivals)])
    volumes: dict[str, dict[str, None]] = {}  # in the order of the entries, each once
    for entry, file in found:
        volumes.setdefault(file.words, {})[entry.volume] = None
    listed = [html.tag("li", f"{', '.join(names)}: {text}") for text, names in volumes.items()]
    parts = [html.tag("h2", "Run lengths")]
    if rows:
        parts.append(html.tag("p", WORDS.format(resamples=found[0][1].resamples)))
        parts.append(html.table(HEADER, rows, len(HEADER) - 1, folds=True))
    return html.join([*parts, html.tag("ul", html.join(listed))])


def cells(
    file: scores.RunLengths, runs: scores.RunLength, rivals: Sequence[float]
) -> list[html.Content]:
    """The numbers of a row."""
    expected: html.Content = f"{runs.expected:.3f}"
    digits = [round(value, 4) for value in (runs.normalised, *rivals)]
    normalised = marked(f"{runs.normalised:.4f}", digits[0], digits[1:], more=True)
    if file.intervals is not None:
        (low, high), (least, most) = file.intervals.expected, file.intervals.normalised
        expected = below(expected, f"{low:.3f} to {high:.3f}")
        normalised = below(normalised, f"{least:.4f} to {most:.4f}")
    shares = (runs.correct, runs.merged, runs.split, runs.omitted)
    return [
        expected, normalised, f"{runs.with_mergers:.3f}", f"{runs.mergers:,}",
        *(f"{one:.1%}" for one in shares),
    ]  # fmt: skip
