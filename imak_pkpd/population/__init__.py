"""Who differs from whom: theta, omega, covariates, and each subject's parameters.

Read in this order: `prior` (a number and its prior), `omega` (SDs and correlations),
`covariate`, `mean` (theta and covariates), `deviation` (eta in its forms),
`individual` (all of it together).
"""

from imak_pkpd.population.covariate import CovariateBlock as CovariateBlock
from imak_pkpd.population.deviation import (
    Patients as Patients,
    given_etas as given_etas,
)
from imak_pkpd.population.form import resolve_forms as resolve_forms
from imak_pkpd.population.individual import (
    individual_values as individual_values,
    sample_individuals as sample_individuals,
    sample_shared as sample_shared,
)
from imak_pkpd.population.mean import Population as Population
from imak_pkpd.population.omega import OmegaBlock as OmegaBlock
from imak_pkpd.population.prior import (
    PriorBlock as PriorBlock,
    ThetaBlock as ThetaBlock,
    positive as positive,
    sample_number as sample_number,
)
