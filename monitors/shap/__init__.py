"""Shapley values of a model's output: how much each feature moved it from what is expected."""
