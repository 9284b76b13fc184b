"""Bias by SageMaker Clarify's metrics: counts that merge, metrics read off them, how sure they are, drift."""
