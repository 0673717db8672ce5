"""Experiments on how models go wrong; each grows many runs and counts what became of them."""
