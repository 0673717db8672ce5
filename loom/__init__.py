"""Loom: a terminal instrument for writing with language models."""

from __future__ import annotations

__version__ = "0.1.0"
