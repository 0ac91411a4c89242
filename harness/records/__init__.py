"""Where runs lie, and how a stored one is read, opened from an attachment and cleared of secrets."""
