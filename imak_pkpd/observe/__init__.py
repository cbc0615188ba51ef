"""What an assay reports: residual errors, censoring and residuals.

Read `errors`, `count_errors` and `event` first, then `likelihood` (the table of
censoring) and `distribution`; `law`, `student` and `count` hold the mathematics of the
tails, `family` joins outputs.
"""

from imak_pkpd.observe.binomial import (
    BetaBinomial as BetaBinomial,
    Binomial as Binomial,
)
from imak_pkpd.observe.block import OutputBlock as OutputBlock
from imak_pkpd.observe.count import AbstractCount as AbstractCount
from imak_pkpd.observe.count_errors import (
    BernoulliError as BernoulliError,
    BetaBinomialError as BetaBinomialError,
    BinomialError as BinomialError,
    OrdinalError as OrdinalError,
    PoissonError as PoissonError,
)
from imak_pkpd.observe.distribution import (
    AbstractObserved as AbstractObserved,
    LocationScale as LocationScale,
    LogLocationScale as LogLocationScale,
)
from imak_pkpd.observe.errors import (
    AbstractError as AbstractError,
    AdditiveError as AdditiveError,
    Combined1Error as Combined1Error,
    Combined2Error as Combined2Error,
    LognormalError as LognormalError,
    ProportionalError as ProportionalError,
    StudentTError as StudentTError,
)
from imak_pkpd.observe.event import (
    Event as Event,
    EventError as EventError,
    until_event as until_event,
)
from imak_pkpd.observe.family import (
    Family as Family,
    Sigmas as Sigmas,
    expected as expected,
    families as families,
    in_every_row as in_every_row,
    log_likelihood_by_row as log_likelihood_by_row,
    of_rows as of_rows,
)
from imak_pkpd.observe.likelihood import (
    conditioned as conditioned,
    log_likelihood as log_likelihood,
)
from imak_pkpd.observe.ordinal import Ordinal as Ordinal
from imak_pkpd.observe.poisson import Poisson as Poisson
from imak_pkpd.observe.residual import (
    iwres as iwres,
    normalised_residual as normalised_residual,
)
from imak_pkpd.observe.truncation import TruncatedAtZero as TruncatedAtZero
