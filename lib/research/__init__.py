"""What makes `data/reference` from the trade panels: code that notebooks never import."""
