"""Figures as inline SVG: same input, same bytes; no identifier is used twice on a page.

`figure` draws with Matplotlib's SVG back end and makes the result fit for a page:
a title and description for screen readers, identifiers prefixed with the figure's
name, no metadata, no style sheet that would reach the rest of the page.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

from imak_pkpd.report.blocks import Figure
from imak_pkpd.report.run import Run

# Okabe & Ito's palette: told apart by readers with any colour vision
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, GREY, PALE = "#2b2f36", "#6b7280", "#c9ced6"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#E69F00", "#000000", "#8a6d3b")

STYLE: dict[Any, object] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a "$" in a patient's identifier is a "$"
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}

SHORT_AXIS = 100.0
"""A logarithmic axis of at most two decades has labels at 2 and 5 too."""

SYNTHETIC = "SYNTHETIC DATA"


def figure(
    run: Run,
    name: str,
    draw: Callable[[Canvas], None],
    *,
    alt: str,
    caption: str,
    size: tuple[float, float] = (7.4, 3.6),
) -> Figure:
    """The figure that `draw` makes on an empty canvas, ready for the page.

    `name` is its identifier on the page (letters, digits, hyphens); `size` in inches.
    Synthetic data are stamped on the figure itself, so that a copy keeps the mark.
    """
    text = drawing(name, draw, size, run.synthetic)
    if run.synthetic:
        caption = f"{caption.rstrip('.')}. Synthetic data."
    alt = run.labels.text(alt)
    svg = inline(text, name, alt)
    return Figure(name, svg, alt, caption, round(size[0] * 96))


def drawing(
    name: str,
    draw: Callable[[Canvas], None],
    size: tuple[float, float],
    synthetic: bool,
) -> str:
    """What `draw` makes on an empty canvas, as an SVG document of its own."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # an identifier may hold letters the font lacks; the browser has its own
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        layout = ConstrainedLayoutEngine()
        canvas = Canvas(figsize=size, layout=layout)
        FigureCanvasSVG(canvas)
        draw(canvas)
        if synthetic:
            _stamp(canvas)
        # Laid out here, once: `savefig` would draw all of it twice for that.
        layout.execute(canvas)
        canvas.set_layout_engine("none")
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _stamp(canvas: Canvas) -> None:
    """The words SYNTHETIC DATA above the axes, on the right."""
    canvas.suptitle(
        SYNTHETIC, x=0.995, ha="right", fontsize=7.5, weight="bold", color=ORANGE
    )


def inline(svg: str, name: str, alt: str) -> str:
    """A stand-alone SVG document as an element of an HTML page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"\bid=\"([^\"]+)\"", rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r"(?:xlink:)?href=\"#([^\"]+)\"", rf'href="#{name}-\1"', body)
    head, rest = body.split(">", 1)
    box = re.search(r"viewBox=\"[^\"]+\"", head)
    title = f"{name}-alt"
    return (
        f'<svg {box.group() if box else ""} role="img" aria-labelledby="{title}">'
        f'<title id="{title}">{escape(alt)}</title>{rest.strip()}'
    )


def log_axis(axes: Axes, which: str = "y") -> None:
    """A logarithmic axis labelled in plain numbers."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axes.set_yscale("log") if which == "y" else axes.set_xscale("log")
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(lambda value, _: _between(axis, value))


def _between(axis: Axis, value: float) -> str:
    """Labels of 2 and 5 between the powers of ten of a short logarithmic axis."""
    low, high = axis.get_view_interval()
    short = high < SHORT_AXIS * low
    return f"{value:g}" if short and f"{value:e}"[0] in "25" else ""


def reference_line(axes: Axes, value: float = 0.0) -> None:
    """A thin horizontal line behind the data."""
    axes.axhline(value, color=PALE, linewidth=1, zorder=0)
