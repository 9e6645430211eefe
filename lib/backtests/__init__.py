"""Rolling origins over trade panels: everything that is kept in `data/reference`."""
