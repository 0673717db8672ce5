"""Whether what is believed of sources is so: `make evaluate-sources` (docs/source-estimates.md)."""
