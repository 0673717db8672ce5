"""Child processes that are spoken to in lines of JSON: how they start, talk, end and log."""
