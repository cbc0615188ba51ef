"""The picture of `imak sample-days`: what each sample is worth against its day."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.sample_days import SampleDays
from imak_pkpd.decide.sample_tables import varying
from imak_pkpd.decide.sample_worth import Estimate
from imak_pkpd.report.figure import GREY, SERIES, drawing, reference_line

Point = tuple[float, Estimate]
ACROSS = 2  # panels in a row
WIDE, TALL = 3.7, 2.2  # inches of a panel


def sample_picture(made: SampleDays, synthetic: bool) -> str:
    """An SVG document: one panel per quantity, a last one for the utility."""
    panels = [*varying(made), *(["utility"] if made.gained else [])]
    down = -(-len(panels) // ACROSS)

    def draw(canvas: Canvas) -> None:
        grid = canvas.subplots(down, ACROSS, sharex=True, squeeze=False)
        for axes, name in zip(grid.flat, panels, strict=False):
            _panel(axes, name, made)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        first = grid.flat[0]
        if len(made.assays.names) > 1:
            first.legend(ncols=2, fontsize=7)
        canvas.supxlabel(f"{made.unit} of the sample. {NOTICE}", fontsize=8, color=GREY)

    size = (WIDE * ACROSS, TALL * down + 0.4)
    return drawing("sample-days", draw, size, synthetic)


def _panel(axes: Axes, name: str, made: SampleDays) -> None:
    """Bars are two Monte Carlo errors to either side."""
    for output, colour in zip(made.assays.names, SERIES * 9, strict=False):
        points = list(_points(name, output, made))
        axes.errorbar(
            [day for day, _ in points],
            [each.value for _, each in points],
            [2 * each.se for _, each in points],
            color=colour,
            marker="o",
            markersize=3,
            label=output,
        )
    reference_line(axes)
    axes.set_title(f"gain in {name}" if name == "utility" else name)
    axes.set_ylabel("gain" if name == "utility" else "share of variance")


def _points(name: str, output: str, made: SampleDays) -> Iterable[Point]:
    if name == "utility":
        return ((e.day, e.gain) for e in made.gained if e.output == output)
    return (
        (e.day, e.reduction)
        for e in made.narrowed
        if (e.output, e.quantity) == (output, name)
    )
