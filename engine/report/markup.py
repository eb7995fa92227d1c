"""HTML that cannot be broken by what users wrote: only `Html` goes out as it is, any other text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EMPTY = {"meta", "link", "br"}


class Html(str):
    """Markup that may stand on the page as it is."""

    __slots__ = ()


def escaped(words: str) -> str:
    """Escape words for an element or an attribute; control characters become visible."""
    return escape(_CONTROL.sub("\ufffd", words))


def tag(name: str, /, *children: str, css: str = "", **attributes: str) -> Html:
    """Make an element; children and attributes that are no `Html` are escaped.

    Examples
    --------
    >>> tag("p", "a < b", css="note")
    '<p class="note">a &lt; b</p>'
    """
    given = {**({"class": css} if css else {}), **attributes}
    head = name + "".join(f' {key.replace("_", "-")}="{escaped(value)}"' for key, value in given.items())
    return Html(f"<{head}>" if name in _EMPTY else f"<{head}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """Put pieces behind each other, escaping what is no `Html`."""
    return Html("".join(c if isinstance(c, Html) else escaped(c) for c in children))


def users(words: str | None, limit: int = 90) -> Html:
    """Show words that a user wrote: cut to a length, in their own reading direction.

    Examples
    --------
    >>> users("<script>")
    '<bdi>&lt;script&gt;</bdi>'
    """
    start = (words or "")[: limit + 1]
    return tag("bdi", start if len(start) <= limit else start[: limit - 1] + "…")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    number: bool = False  # aligned at the right, digits of one width
    spare: bool = False  # left out on a narrow screen

    @property
    def css(self) -> str:
        """Class of its cells."""
        return " ".join(name for name, on in (("number", self.number), ("spare", self.spare)) if on)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], css: str = "") -> Html:
    """Make a table; the first cell of a row is its head."""
    head = (tag("th", c.title, css=c.css, scope="col") for c in columns)
    body = []
    for first, *rest in rows:
        cells = (tag("td", cell, css=c.css) for c, cell in zip(columns[1:], rest, strict=True))
        body.append(tag("tr", tag("th", first, css=columns[0].css, scope="row"), *cells))
    return tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), css=css)


def section(name: str, title: str, *children: str) -> Html:
    """Make a section with its heading; `name` is what links point to."""
    return tag("section", tag("h2", title), *children, id=name)
