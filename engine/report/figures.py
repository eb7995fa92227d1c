"""SVG by hand: scales, ticks, paths, labels. Colours and type come from the page's style, by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fullshelf.engine.report.markup import escaped

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to places in the picture.

    Examples
    --------
    >>> Scale(0, 10, 100, 0)(2.5)
    75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(high: float, n: int, whole: bool = False) -> list[float]:
    """Return about n round values from 0 up to the first that is not below `high`; whole numbers for counts.

    Examples
    --------
    >>> ticks(87, 4), ticks(0.7, 3), ticks(7, 3, whole=True)
    ([0.0, 25.0, 50.0, 75.0, 100.0], [0.0, 0.25, 0.5, 0.75], [0.0, 5.0, 10.0])
    """
    if not high > 0:
        return [0.0, 1.0]
    raw = high / n
    power = 10.0 ** math.floor(math.log10(raw))
    steps = (m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
    step = max(next(s for s in steps if not whole or s == int(s) or s < 1), 1.0 if whole else 0.0)
    return [step * i for i in range(math.ceil(high / step - 1e-9) + 1)]


def place(x: float) -> str:
    """Write a coordinate, to a tenth of a unit.

    Examples
    --------
    >>> place(12.04), place(0.26), place(-0.02)
    ('12', '0.3', '0')
    """
    text = f"{x:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def line(points: Iterable[Point]) -> str:
    """Return the path data of a line through the points."""
    return "M" + "L".join(f"{place(x)} {place(y)}" for x, y in points)


def band(xs: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> str:
    """Return the path data of the area between two lines."""
    there = [*zip(xs, upper, strict=True)]
    back = [*zip(reversed(xs), reversed(lower), strict=True)]
    return line([*there, *back]) + "Z"


def path(d: str, css: str) -> str:
    """Draw a path."""
    return f'<path class="{css}" d="{d}"/>'


def segment(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """Draw a straight line."""
    return path(line([(x1, y1), (x2, y2)]), css)


def box(x: float, y: float, width: float, height: float, css: str, tip: str = "") -> str:
    """Draw a rectangle; `tip` is shown under a resting pointer."""
    shape = f'<rect class="{css}" x="{place(x)}" y="{place(y)}" width="{place(width)}" height="{place(height)}"'
    return f"{shape}><title>{escaped(tip)}</title></rect>" if tip else f"{shape}/>"


def dot(x: float, y: float, radius: float, css: str, tip: str = "") -> str:
    """Draw a disc."""
    shape = f'<circle class="{css}" cx="{place(x)}" cy="{place(y)}" r="{place(radius)}"'
    return f"{shape}><title>{escaped(tip)}</title></circle>" if tip else f"{shape}/>"


def text(x: float, y: float, words: str, anchor: str = "start", css: str = "") -> str:
    """Write words; `anchor` is start, middle or end."""
    attributes = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (f' class="{css}"' if css else "")
    return f'<text x="{place(x)}" y="{place(y)}"{attributes}>{escaped(words)}</text>'


def picture(width: float, height: float, says: str, shapes: Iterable[str]) -> str:
    """Put shapes into a picture that fills its column; `says` is what it shows, for those who do not see it."""
    view = f'viewBox="0 0 {place(width)} {place(height)}"'
    return f'<svg {view} role="img" aria-label="{escaped(says)}">{"".join(shapes)}</svg>'
