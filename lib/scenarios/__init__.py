"""What if, and what nobody saw: changed forecasts, break-even goals, hidden years."""
