"""The screen: Textual lives only here. Widgets hold no truth: they read and send messages."""
