"""One file a screen; the main one is put together from what can be done on it."""
