"""Asking an engine and waiting: the likelihood of a text under frames, and answers in words."""
