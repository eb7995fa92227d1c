"""Numbers as a person reads them: thousands apart, no more digits than mean something, a dash for what is unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from fullshelf.engine.calendar import Period

UNKNOWN = "–"
MONTHS = (  # strftime would follow the locale
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
GAP = "\u202f"  # narrow no-break space between a number and its unit


def known(x: float | None) -> bool:
    """Whether there is a number at all."""
    return x is not None and math.isfinite(x)


def number(x: float | None) -> str:
    """Write units, counts, ratios: three digits that mean something, all of them before the point.

    Examples
    --------
    >>> number(1234567), number(1234.56), number(12.34), number(3.456), number(2.0), number(0.01234), number(None)
    ('1,234,567', '1,235', '12.3', '3.46', '2', '0.0123', '–')
    """
    if x is None or not math.isfinite(x):
        return UNKNOWN
    if x == int(x) or abs(x) >= 99.95:
        return f"{x:,.0f}"
    if abs(x) >= 0.995:
        return f"{x:.{1 if abs(x) >= 9.995 else 2}f}".rstrip("0").rstrip(".")
    return f"{x:.3g}" if abs(x) >= 1e-4 else f"{x:.0e}"


def money(x: float | None, currency: str = "") -> str:
    r"""Write an amount of money; millions are shortened from ten on.

    Examples
    --------
    >>> money(12345678, "EUR"), money(1234.56), money(12.3)
    ('12.35\u202fM\u202fEUR', '1,235', '12.30')
    """
    if x is None or not math.isfinite(x):
        return UNKNOWN
    if abs(x) >= 1e7:
        size, unit = (1e9, "G") if abs(x) >= 1e10 else (1e6, "M")
        text = f"{x / size:,.2f}{GAP}{unit}"
    else:
        text = f"{x:,.0f}" if abs(x) >= 999.995 or x == 0 else f"{x:.2f}"
    return f"{text}{GAP}{currency}" if currency else text


def share(x: float | None) -> str:
    r"""Write a share of one in per cent.

    Examples
    --------
    >>> share(0.97654), share(1.0), share(0.00042), share(-0.034)
    ('97.7\u202f%', '100\u202f%', '0.042\u202f%', '-3.4\u202f%')
    """
    if x is None or not math.isfinite(x):
        return UNKNOWN
    p = 100 * x
    text = f"{p:.0f}" if p == round(p) else f"{p:.1f}" if abs(p) >= 0.1 else f"{p:.2g}"
    return f"{text}{GAP}%"


def duration(s: float | None) -> str:
    r"""Write seconds.

    Examples
    --------
    >>> duration(0.034), duration(4.26), duration(75.4), duration(3725)
    ('0.03\u202fs', '4.3\u202fs', '1\u202fmin 15\u202fs', '1\u202fh 2\u202fmin')
    """
    if s is None or not math.isfinite(s):
        return UNKNOWN
    if s < 59.95:
        return f"{s:.1f}{GAP}s" if s >= 0.995 else f"{s:.2f}{GAP}s"
    minutes, rest = divmod(round(s), 60)
    if minutes < 60:
        return f"{minutes}{GAP}min {rest}{GAP}s"
    return f"{minutes // 60}{GAP}h {minutes % 60}{GAP}min"


def memory(megabytes: float | None) -> str:
    r"""Write an amount of memory.

    Examples
    --------
    >>> memory(812.3), memory(2345.0)
    ('812\u202fMB', '2.3\u202fGB')
    """
    if megabytes is None:
        return UNKNOWN
    return f"{megabytes / 1024:.1f}{GAP}GB" if megabytes >= 1024 else f"{megabytes:.0f}{GAP}MB"


def day(d: date) -> str:
    """Write a date.

    Examples
    --------
    >>> day(date(2015, 6, 8))
    '8 June 2015'
    """
    return f"{d.day} {MONTHS[d.month - 1]} {d.year}"


def short_day(d: date) -> str:
    """Write a date for an axis of days.

    Examples
    --------
    >>> short_day(date(2015, 6, 8))
    '8 Jun'
    """
    return f"{d.day} {MONTHS[d.month - 1][:3]}"


def month_of(d: date) -> str:
    """Write a date for an axis of months and years.

    Examples
    --------
    >>> month_of(date(2015, 6, 8))
    'Jun 15'
    """
    return f"{MONTHS[d.month - 1][:3]} {d.year % 100:02}"


def periods(n: float | None, period: Period) -> str:
    """Write a number of periods.

    Examples
    --------
    >>> periods(1, Period.WEEK), periods(2.5, Period.DAY)
    ('1 week', '2.5 days')
    """
    return f"{number(n)} {period}{'' if n == 1 else 's'}"


def plural(n: int, one: str, many: str = "") -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "row"), plural(1200, "row"), plural(2, "series", "series")
    ('1 row', '1,200 rows', '2 series')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def aligned(values: Sequence[float | None], least: int = 0) -> list[str]:
    """Write a column of numbers with the same digits after the point: as many as its largest asks for.

    Examples
    --------
    >>> aligned([1234.6, 0.25]), aligned([1.25, 12.0]), aligned([3.0, 4.0]), aligned([7.0, None], least=1)
    (['1,235', '0'], ['1.2', '12.0'], ['3', '4'], ['7.0', '–'])
    """
    there = [abs(x) for x in values if x is not None and math.isfinite(x)]
    whole = all(x == int(x) for x in there)
    digits = max(least, 0 if whole or max(there, default=0) >= 99.5 else 1 if max(there) >= 9.95 else 2)
    return [UNKNOWN if x is None or not math.isfinite(x) else f"{x:,.{digits}f}" for x in values]
