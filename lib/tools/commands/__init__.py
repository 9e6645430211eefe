"""The commands of `tradegoals`, thin."""
