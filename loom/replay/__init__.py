"""How a session came to be, shown again (playing), checked (verifying), done again (regrowing)."""
