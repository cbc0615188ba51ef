"""Bayesian population pharmacodynamics of IMAK cell therapy."""
