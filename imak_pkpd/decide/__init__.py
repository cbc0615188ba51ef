"""What to do about it: decisions and forecasts from a finished run.

`forecast`  new patients: their own posterior, their estimands and curves to a horizon
"""
