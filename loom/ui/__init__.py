"""The screen: Textual lives only here. Widgets hold no truth: they read and send messages."""

import os

# Textual draws at most so many frames a second, and a key may have to wait for the next.
os.environ.setdefault("TEXTUAL_FPS", "250")
