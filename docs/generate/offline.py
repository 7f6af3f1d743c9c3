"""Searching without a network: what the theme would load from elsewhere comes with the pages.

A hook of MkDocs. Browsers start no worker for a page that was opened from a folder, so Material's
plugin `offline` has one stand in, which it would fetch from unpkg.com.
"""

import posixpath
from typing import Any

from mkdocs.structure.pages import Page

ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
HERE = "assets/iframe-worker.js"


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Have a page load it from the site."""
    return output.replace(
        ELSEWHERE, posixpath.relpath(HERE, posixpath.dirname(page.file.dest_uri) or ".")
    )


def on_post_template(output_content: str, **_: Any) -> str:
    """The page that servers give for one that is not there lies anywhere."""
    return output_content.replace(ELSEWHERE, f"/{HERE}")
