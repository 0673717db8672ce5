"""Plugins that read along in a session: what is to be read, by whom, and what came of it."""
