"""The page as text: the template filled with sections, data and the chart libraries."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from sinks.page import colours, quality
from sinks.page.packing import Limits
from sinks.page.reading import Key, Report, Summary
from sinks.page.sections import newest, section, totals
from sinks.page.words import reasons


def render(
    reports: Sequence[Report], summary: Summary | None, broken: Mapping[str, str] | None = None
) -> str:
    """The page as text; the same arguments give the same text."""
    of_key: dict[Key, list[Report]] = defaultdict(list)
    for report in reports:
        of_key[report.key].append(report)
    shown = {key: newest(of_key[key]) for key in sorted(of_key)}
    limits = Limits.among(len(shown))
    return _template().render(
        sections=[section(of_one, limits, quality.sides(shown, key)) for key, of_one in shown.items()],
        totals=totals([r for of_one in shown.values() for r in of_one], summary.counts if summary else None),
        reasons=reasons(summary.bad_by_reason) if summary else [],
        subjects=len({key[:3] for key in shown}),
        summary=summary,
        broken=dict(broken or {}),
        bundle=_bundle() if shown else "",
        no_data=colours.NO_DATA,
        estimate=colours.ESTIMATE,
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": "{:,}".format, "embedded": _embedded}
    return environment.get_template("page.html.j2")


@cache
def _bundle() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return Markup(script.replace("</script", r"<\/script").replace("<!--", r"<\!--"))


def _embedded(value: Any) -> Markup:
    """JSON that cannot end the script element which holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026"))
