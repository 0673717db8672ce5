"""What a session believes about who could be writing: nodes weighed under every frame of a set."""
