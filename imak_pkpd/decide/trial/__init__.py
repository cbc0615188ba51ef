"""A simulated trial: arms, new patients, endpoints, tests, and how often they succeed.

`arms`             each arm of [trial] with steps of its own, solved for any patients
`losses`           who leave and who die, and when
`endpoint`         what is seen of every patient, and what is expected of an arm
`comparison`       observed figures and one-sided tests, all trials at once
`simulate`         trials at draws of the posterior; `characteristics` what they show
`of_run`           the trial of a run folder; `document`, `folder` its files
"""
