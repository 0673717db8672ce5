"""Instruments: the protocol, the process in which plugins run, and its client."""
