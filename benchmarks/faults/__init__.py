"""What may happen to a session, done to it on purpose: `python -m benchmarks.faults`."""
