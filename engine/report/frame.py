"""What every page for a person is: one file without script or network, sections under a row of links."""

from __future__ import annotations

from collections.abc import Sequence

from fullshelf.engine.report.markup import Html, join, tag
from fullshelf.engine.report.style import STYLE

__all__ = ["page"]

# No script can run and nothing can be fetched, whatever a product title says.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(title: str, top: Html, sections: Sequence[tuple[str, str, Html]], foot: str, style: str = "") -> Html:
    """Return a whole page.

    Parameters
    ----------
    top
        Its header.
    sections
        Anchor, name and content of each; empty ones are left out of the links.
    foot
        What its last line says before that the file needs no network.
    style
        Rules beside those of every page.
    """
    links = (tag("a", name, href=f"#{anchor}") for anchor, name, content in sections if content)
    return join(
        Html("<!doctype html>\n"),
        tag(
            "html",
            tag(
                "head",
                tag("meta", charset="utf-8"),
                tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("meta", name="referrer", content="no-referrer"),
                tag("link", rel="icon", href="data:,"),
                tag("title", title),
                tag("style", Html(STYLE + style)),
            ),
            tag(
                "body",
                top,
                tag("nav", *links, aria_label="sections"),
                tag("main", *(content for _, _, content in sections)),
                tag("footer", f"{foot} Written by fullshelf; this file needs no network."),
            ),
            lang="en",
        ),
        Html("\n"),
    )
