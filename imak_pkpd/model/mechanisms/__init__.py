"""Rates of the IMAK therapy: pure functions of scalars, one mechanism in each file.

From the product to the outcome: `culture`, `il2`, `cyclophosphamide`, `rituximab`,
`donor`, `rejection`, `tumour`, `killing`, `bystander`, `paraprotein`, `toxicity`,
`gvhd`; their building blocks are in `saturation`. A model file adds them up in its
`rates`:

    from imak_pkpd.model import mechanisms
    killed = mechanisms.doubly_saturated(E, L, greatest=self.kap, half=self.h)

States and inputs are positional, parameters go by name. Units stand in each docstring.
"""

from imak_pkpd.model.mechanisms.bystander import (
    bystander_expansion as bystander_expansion,
)
from imak_pkpd.model.mechanisms.culture import (
    Lineage as Lineage,
    activated_in_culture as activated_in_culture,
    il2_in_medium as il2_in_medium,
)
from imak_pkpd.model.mechanisms.cyclophosphamide import (
    autoinduction as autoinduction,
    cyclophosphamide_elimination as cyclophosphamide_elimination,
    friberg_proliferation as friberg_proliferation,
    gompertz_recovery as gompertz_recovery,
    logistic_recovery as logistic_recovery,
)
from imak_pkpd.model.mechanisms.donor import (
    DonorCells as DonorCells,
    antigen_driven_growth as antigen_driven_growth,
    chimerism as chimerism,
    extinction_gate as extinction_gate,
    il2_dependent_growth as il2_dependent_growth,
    lymphopenia as lymphopenia,
    per_microlitre as per_microlitre,
    product_cells as product_cells,
)
from imak_pkpd.model.mechanisms.gvhd import (
    gvhd_exposure as gvhd_exposure,
    gvhd_exposure_over as gvhd_exposure_over,
    gvhd_probability as gvhd_probability,
)
from imak_pkpd.model.mechanisms.il2 import (
    DepotAndBlood as DepotAndBlood,
    il2_concentration as il2_concentration,
    il2_disposition as il2_disposition,
)
from imak_pkpd.model.mechanisms.killing import (
    Kills as Kills,
    doubly_saturated as doubly_saturated,
    killer_saturated as killer_saturated,
    mass_action as mass_action,
    ratio_dependent as ratio_dependent,
    target_saturated as target_saturated,
)
from imak_pkpd.model.mechanisms.paraprotein import (
    m_protein_turnover as m_protein_turnover,
)
from imak_pkpd.model.mechanisms.rejection import (
    Responders as Responders,
    host_response as host_response,
    rejection as rejection,
    veto as veto,
)
from imak_pkpd.model.mechanisms.rituximab import (
    TwoCompartments as TwoCompartments,
    occupancy as occupancy,
    rituximab_disposition as rituximab_disposition,
)
from imak_pkpd.model.mechanisms.saturation import (
    hill as hill,
    saturation as saturation,
)
from imak_pkpd.model.mechanisms.toxicity import (
    cytokine_release as cytokine_release,
    grade_at_least as grade_at_least,
    running_peak as running_peak,
    running_peak_after as running_peak_after,
)
from imak_pkpd.model.mechanisms.tumour import (
    cells_of_log as cells_of_log,
    gompertz_growth as gompertz_growth,
    logistic_growth as logistic_growth,
)
