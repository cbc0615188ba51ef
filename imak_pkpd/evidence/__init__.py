"""What is published of a cohort without its records: counts, on virtual patients.

`design`    [cohort.NAME]: how many, who they are, what they are given
`patients`  quasi-random ones: covariates, groups, amounts, standard normals of eta
`facts`     [evidence.NAME]: a count or a summary, and its log-likelihood
`study`     [study.NAME]: whose outcomes those are, and who would count twice
`scenario`  [scenario.NAME]: the same patients, if one thing were otherwise
A virtual patient is a node of an integral over patients, never a record.
"""

from imak_pkpd.evidence.design import (
    CohortBlock as CohortBlock,
    DoseDesign as DoseDesign,
)
from imak_pkpd.evidence.facts import (
    AtLeastFact as AtLeastFact,
    BinomialFact as BinomialFact,
    EvidenceBlock as EvidenceBlock,
    NormalFact as NormalFact,
)
from imak_pkpd.evidence.patients import (
    VirtualPatients as VirtualPatients,
    drawn_patients as drawn_patients,
    quasi_normals as quasi_normals,
    virtual_patients as virtual_patients,
)
from imak_pkpd.evidence.scenario import ScenarioBlock as ScenarioBlock
from imak_pkpd.evidence.study import (
    StudyBlock as StudyBlock,
    double_use as double_use,
)
