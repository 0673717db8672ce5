"""Engines: the protocol, the child process that runs one, and the client that talks to it."""
