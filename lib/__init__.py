"""Does a stated trade-growth goal hold? Figures, growth maths, goals and forecasts."""
