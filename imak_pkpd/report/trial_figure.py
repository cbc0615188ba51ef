"""The figure of a simulated trial as SVG: power by true difference, and the arms."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from imak_pkpd.decide.notice import NOTICE
from imak_pkpd.decide.trial.characteristics import Compared, InArm
from imak_pkpd.decide.trial.of_run import TrialOfRun
from imak_pkpd.report.figure import BLUE, GREY, ORANGE, PALE, SERIES, STYLE, SYNTHETIC

HEIGHT = 2.3  # inches of an endpoint


def trial_picture(made: TrialOfRun) -> str:
    """One row per endpoint: on the left the power, on the right the arms."""
    endpoints = list(made.trials.block.endpoint)
    with mpl.rc_context({**STYLE, "svg.hashsalt": "trial"}):
        size = (8.6, HEIGHT * len(endpoints) + 0.6)
        canvas = Canvas(figsize=size, layout="constrained")
        FigureCanvasSVG(canvas)
        canvas.suptitle(_title(made), color=GREY, fontsize=8)
        axes = canvas.subplots(len(endpoints), 2, squeeze=False)
        for (left, right), endpoint in zip(axes, endpoints, strict=True):
            own = [c for c in made.shown.compared if c.endpoint == endpoint]
            _power(left, own, made.trials.block.endpoint[endpoint].alpha)
            arms = [a for a in made.shown.arms if a.endpoint == endpoint]
            _arms(right, endpoint, arms)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _title(made: TrialOfRun) -> str:
    mark = f"{SYNTHETIC}. " if made.run.synthetic else ""
    return f"{mark}Simulated trials. {NOTICE}"


def _power(axes: Axes, compared: list[Compared], alpha: float) -> None:
    """P(success) against the true difference, with twice its Monte Carlo error."""
    for each, colour in zip(compared, SERIES * len(compared), strict=False):
        x = [group.difference for group in each.groups]
        y = [group.power.mean for group in each.groups]
        error = [2.0 * group.power.se for group in each.groups]
        name = f"{each.arm}: {each.success.mean:.2f} in all"
        axes.errorbar(x, y, error, fmt="o-", color=colour, markersize=3, label=name)
    axes.axhline(alpha, color=PALE, linewidth=1)
    axes.axvline(0.0, color=PALE, linewidth=1)
    axes.set_ylim(-0.02, 1.02)
    against = compared[0].against
    held = against if isinstance(against, str) else f"{against:g}"
    axes.set_xlabel(f"true difference from {held}")
    axes.set_ylabel("P(success)")
    axes.legend(loc="upper left")


def _arms(axes: Axes, endpoint: str, arms: list[InArm]) -> None:
    """5 – 95 % of what arms truly do (over draws) and of what trials report."""
    rows = np.arange(len(arms))
    for shift, colour, name, spreads in (
        (-0.12, BLUE, "truly, over draws", [each.expected for each in arms]),
        (0.12, ORANGE, "reported, over trials", [each.observed for each in arms]),
    ):
        low, high = ([s.low for s in spreads], [s.high for s in spreads])
        axes.hlines(rows + shift, low, high, color=colour, linewidth=2.5, label=name)
        axes.plot([s.mean for s in spreads], rows + shift, "o", color=colour)
    axes.set_yticks(rows, [each.arm for each in arms])
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.set_title(endpoint)
    axes.legend(loc="best")
