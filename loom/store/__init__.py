"""The session file: the only part of Loom that knows SQLite."""
