"""Whether the detectors do what they say: `make evaluate` (docs/instruments.md)."""
