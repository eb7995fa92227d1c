"""Pictures of many series together: how something is distributed, how well levels held, a share of a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from fullshelf.engine.report import figures as fig
from fullshelf.engine.report import numbers


def histogram(counts: Sequence[int], labels: Sequence[str], tips: Sequence[str], axis: str, of: str) -> str:
    """Draw bars side by side: counts (B,), what stands at the B + 1 edges between them, a tip for each bar."""
    W, H, left, right, top, bottom = 260, 174, 34, 8, 22, 42
    ys = fig.ticks(max(counts, default=0), 3, whole=True)
    y = fig.Scale(0, ys[-1], H - bottom, top)
    width = (W - left - right) / max(len(counts), 1)
    shapes = [fig.text(0, 11, of, css="axis")]
    for tick in ys:
        shapes += [
            fig.segment(left, y(tick), W - right, y(tick), "base" if tick == 0 else "grid"),
            fig.text(left - 5, y(tick) + 3.5, short(tick), "end"),
        ]
    for i, (count, tip) in enumerate(zip(counts, tips, strict=True)):
        if count:
            place = max(y(0) - y(count), 0.8)  # one series among a million is still seen
            shapes.append(fig.box(left + i * width + 0.75, y(0) - place, width - 1.5, place, "bar", tip))
    every = next(n for n in range(1, len(labels) + 1) if _apart(labels[::-n], n * width))
    for i, label in list(enumerate(labels))[::-every]:
        shapes.append(fig.text(left + i * width, H - bottom + 17, label, "middle") if label else "")
    shapes.append(fig.text(left + (W - left - right) / 2, H - 6, axis, "middle", "axis"))
    return fig.picture(W, H, f"{of} by {axis}. " + "; ".join(t for t, c in zip(tips, counts, strict=True) if c), shapes)


def _apart(labels: Sequence[str], distance: float) -> bool:
    """Whether centred labels at that distance leave room between each other; a digit is about 6.5 wide."""
    return all((len(a) + len(b)) / 2 * 6.5 + 5 <= distance for a, b in pairwise(labels))


def short(x: float) -> str:
    """Write a number for a narrow axis.

    Examples
    --------
    >>> short(1_500_000), short(25_000), short(250), short(0.25)
    ('1.5M', '25k', '250', '0.25')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size:
            return f"{x / size:.3g}{unit}"
    return f"{x:.3g}"


def reliability(coverage: Mapping[float, float]) -> str:
    """Draw the share of sales at or below each level beside the level itself."""
    W, H, left, right, top, bottom = 360, 270, 44, 12, 22, 40
    x, y = fig.Scale(0, 1, left, W - right), fig.Scale(0, 1, H - bottom, top)
    shapes = [fig.text(0, 11, "share of sales at or below it", css="axis")]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes += [
            fig.segment(left, y(tick), W - right, y(tick), "base" if tick == 0 else "grid"),
            fig.text(left - 5, y(tick) + 3.5, f"{100 * tick:.0f} %", "end"),
            fig.text(x(tick), H - bottom + 17, f"{tick:g}", "middle"),
        ]
    shapes.append(fig.segment(x(0), y(0), x(1), y(1), "ideal"))
    shapes.append(fig.path(fig.line((x(q), y(c)) for q, c in sorted(coverage.items())), "median"))
    shapes += [
        fig.dot(x(q), y(c), 3.2, "point", f"level {q:g}: {numbers.share(c)} of sales at or below")
        for q, c in sorted(coverage.items())
    ]
    shapes.append(fig.text(left + (W - left - right) / 2, H - 6, "level of the forecast", "middle", "axis"))
    says = "Coverage: " + "; ".join(f"level {q:g}: {numbers.share(c)}" for q, c in sorted(coverage.items()))
    return fig.picture(W, H, says, shapes)


def meter(part: float, css: str = "bar") -> str:
    """Draw a bar for a table cell; `part` of its width, 0 to 1."""
    width = f"{100 * min(max(part, 0.0), 1.0):.1f}%"
    return (
        '<svg class="meter" aria-hidden="true"><rect class="track" width="100%" height="100%"/>'
        f'<rect class="{css}" width="{width}" height="100%"/></svg>'
    )
