"""The tree, its text and its randomness; knows numpy at most."""
