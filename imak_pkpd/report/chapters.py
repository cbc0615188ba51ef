"""Which chapters a report has: the one place that looks at what the run holds.

A run of patients has patients to show, a run of published facts weights; a run of both
has the evidence beside the patients, and chains or weights as it was sampled.
The front page is made last and comes first (`sections.front`).
"""

from imak_pkpd.decide import sample_folder, store
from imak_pkpd.decide.trial import folder as trial_folder
from imak_pkpd.report.blocks import Section
from imak_pkpd.report.run import Run
from imak_pkpd.report.sections import (
    cohort,
    computation,
    data,
    dose,
    estimands,
    evidence,
    goodness,
    identifiability,
    individuals,
    model,
    next_sample,
    parameters,
    provenance,
    random_effects,
    sensitivity,
    trial,
    vpc,
    weighted_parameters,
    weighting,
)

OF_PATIENTS = (
    data.SECTION,
    model.SECTION,
    computation.SECTION,
    parameters.SECTION,
    goodness.SECTION,
    vpc.SECTION,
    individuals.SECTION,
    random_effects.SECTION,
    sensitivity.SECTION,
    estimands.SECTION,
    provenance.SECTION,
)

OF_FACTS = (
    cohort.SECTION,
    model.WITHOUT_PATIENTS,
    weighting.SECTION,
    weighted_parameters.SECTION,
    evidence.SECTION,
    identifiability.SECTION,
    provenance.SECTION,
)

OF_BOTH = (
    data.SECTION,
    cohort.BESIDE_PATIENTS,
    *OF_PATIENTS[1:8],
    evidence.SECTION,
    *OF_PATIENTS[8:],
)

OF_BOTH_TEMPERED = (
    data.SECTION,
    cohort.SECTION,
    model.WITHOUT_PATIENTS,
    weighting.SECTION,
    weighted_parameters.SECTION,
    goodness.SECTION,
    vpc.SECTION,
    individuals.SECTION,
    random_effects.SECTION,
    evidence.SECTION,
    identifiability.SECTION,
    provenance.SECTION,
)

ASKED = (
    (dose.SECTION, store.ANSWERS),
    (trial.SECTION, trial_folder.ANSWERS),
    (next_sample.SECTION, sample_folder.ANSWERS),
)
"""Chapters of questions to a finished run, each with the files of its answers."""


def sections_of(run: Run) -> tuple[Section, ...]:
    """The chapters of this run, in the order of the page."""
    found = _of_fit(run)
    asked = [section for section, files in ASKED if any(run.folder.glob(files))]
    return (*found[:-1], *asked, *found[-1:])


def _of_fit(run: Run) -> tuple[Section, ...]:
    if run.weighted:
        return OF_BOTH_TEMPERED if run.with_patients else OF_FACTS
    return OF_BOTH if run.with_facts else OF_PATIENTS
