"""A model card as a page: its Markdown drawn, without HTML of its own and without pictures."""

import itertools
import re

from markupsafe import Markup

_SCROLLING = '<div class="scroll" tabindex="0" role="region" aria-label="Table {}">\n<table>'


def drawn(card: str) -> Markup:
    """Return the HTML of a card's Markdown; what is HTML in it already is shown as text."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    html = markdown.render(card)
    # each table scrolls by itself on a narrow screen; the header of the first one has no text
    html = re.sub(r"<thead>\s*<tr>\s*(<th>\s*</th>\s*)+</tr>\s*</thead>\n", "", html)
    numbers = itertools.count(1)
    html = re.sub("<table>", lambda _: _SCROLLING.format(next(numbers)), html).replace("</table>", "</table>\n</div>")
    return Markup(html)  # noqa: S704 - of a renderer that escapes what it is given
