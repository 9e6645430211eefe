"""Changing the record: a figure added by hand, flows fetched from a source, two vintages compared."""
