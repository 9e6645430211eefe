"""Live sources: from a publisher's answer, kept as received, to observations and rows of the record."""
