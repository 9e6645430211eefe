"""Live sources: `client` asks, `snapshots` keeps, one module a publisher reads, `observations` checks, `record` writes."""
