"""Whether the detectors do what they say: `make evaluate-detectors` (docs/instruments.md)."""
