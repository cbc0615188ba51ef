"""What we want to know: functions of the curves of one subject's solve.

`crossing`    when a quantity falls below a limit, for good (rejection, remission)
`exposure`    how long above a level, how much in all, the peak (the graft's window)
`extinction`  the probability that not one tumour cell is left (cure)
`block`, `course`, `outcome`  the lines of [estimand] in a fit file
Each is written for one subject; `vmap` it. Times are in the model's unit.
"""

from typing import Annotated

from pydantic import Field

from imak_pkpd.estimand.block import (
    AbstractEstimand as AbstractEstimand,
    Reading as Reading,
)
from imak_pkpd.estimand.course import (
    AreaEstimand as AreaEstimand,
    CrossingEstimand as CrossingEstimand,
    PeakEstimand as PeakEstimand,
    TimeAboveEstimand as TimeAboveEstimand,
    ValueEstimand as ValueEstimand,
)
from imak_pkpd.estimand.crossing import (
    Crossing as Crossing,
    Outcome as Outcome,
    last_down_crossing as last_down_crossing,
)
from imak_pkpd.estimand.exposure import (
    Peak as Peak,
    area as area,
    peak as peak,
    time_above as time_above,
)
from imak_pkpd.estimand.extinction import (
    Clone as Clone,
    log_minus_log_cure as log_minus_log_cure,
)
from imak_pkpd.estimand.outcome import (
    ExtinctionEstimand as ExtinctionEstimand,
    NegativeEstimand as NegativeEstimand,
    RemissionEstimand as RemissionEstimand,
    at_most as at_most,
)

EstimandBlock = Annotated[
    CrossingEstimand
    | TimeAboveEstimand
    | AreaEstimand
    | PeakEstimand
    | ValueEstimand
    | RemissionEstimand
    | NegativeEstimand
    | ExtinctionEstimand,
    Field(discriminator="kind"),
]
"""One line of [estimand]."""
