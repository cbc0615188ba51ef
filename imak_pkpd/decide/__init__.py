"""What to do about it: decisions and forecasts from a finished run.

`of_run`    the dose of [decision]: designs on common draws and patients, the best one
`forecast`  new patients: their own posterior, their estimands and curves to a horizon
`sample_days`  which sample of a new patient, on which day, is worth drawing
`trial`     the arms of [trial] as simulated trials, and how often these succeed
"""
