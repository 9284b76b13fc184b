"""The page: one self-contained `index.html` about every report under a directory.

It works from a file, offline: libraries, specifications and data are inside, and its content security policy
lets nothing be loaded. It is a function of the directory alone (no clock): the same reports, the same bytes.
"""

import os
from pathlib import Path


def write_page(directory: Path) -> Path:
    """Write `directory/index.html` from the reports and the summary there, replacing it in one step."""
    # The chart libraries take longer to load than all else here: a run loads them when it makes a page.
    from sinks.page.reading import read
    from sinks.page.rendering import render

    found = read(directory)
    page = directory / "index.html"
    temporary = page.with_name(f".index.html.{os.getpid()}")
    try:
        text = render(found.reports, found.summary, found.broken)
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(page)
    finally:
        temporary.unlink(missing_ok=True)
    return page
