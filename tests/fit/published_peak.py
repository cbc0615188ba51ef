"""A fit of one published fact, the peak of four patients, with an answer on paper."""

# Without random effects the peak after a bolus is dose/V: ln peak = ln dose - theta_V,
# a normal prior and a normal fact, hence a normal posterior.
PUBLISHED_PEAK = """
problem = "a published peak"
model = "{root}/models/pk1_iv.py"
[theta]
CL = {{ median = 5.0, gsd = 1.3 }}
V1 = {{ median = 20.0, gsd = 1.5 }}
[cohort.trial]
patients = 4
refined = 8
horizon = 4.0
tolerance = 1e-6
[cohort.trial.dose]
central = {{ times = [0.0], amount = 100.0 }}
[estimand]
top = {{ kind = "value", output = "concentration", at = 0.0 }}
late = {{ kind = "value", output = "concentration" }}
[evidence.peak]
kind = "normal"
value = 8.0
sd = 0.2
scale = "log"
of = "top"
cohort = "trial"
alternatives = ["late"]
[estimation]
prior_draws = 4000
refined_draws = 1500
seed = 3
"""
