"""The machinery of the command `tradegoals`: runs, sources, pages. Nothing in the other rooms imports it."""
