"""Statistics of single questions: what a notebook asks beyond levels, growth, goals and the forecast."""
