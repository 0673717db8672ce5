"""The two widgets of Loom's own: the tree and the token text."""
