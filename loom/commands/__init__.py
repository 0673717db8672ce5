"""What each command does: calls the session and hands facts to the console; parses nothing."""
