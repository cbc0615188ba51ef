"""Checks of a finished fit: arrays in, frozen results out; nothing is drawn here.

`convergence`  may the numbers be used at all?
`weighting`    the same of weighted prior draws, where there are no patients.
`reweighting`  what would have been learned from other facts.
`contraction`  what was learned of each parameter; `directions` of combinations.
`goodness`     observations beside their predictions, residuals.
`vpc`          percentiles of simulated against observed, prediction-corrected too.
`npde`         residuals that are standard normal when the model is right.
"""
