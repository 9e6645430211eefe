"""Live sources: from a publisher's answer, kept as received, to observations and rows of the record.

The way of a number is always the same: `client` asks, `snapshots` keeps the answer, one module a publisher reads it,
`observations` checks it, `record` writes it in the form of `data/figures.csv`; `fetch` strings these together. `covariates` and
`update` keep the tables of the record current.

Why an HTTP client of our own and not the publishers' packages (each tried in November 2026):

- imfp 2.1.1 pins `pandas==2.2.3` and `requests==2.33.0`, so it cannot be installed beside this project; it returns a
  frame, never the answer, so that nothing could be kept as received; its base address is a constant.
- sdmx1 2.28.0 installs, but retries nothing, bounds neither the size nor the total time of an answer, needs the data
  structure, a further request, to read CSV, and builds an object for every observation.
- comtradeapicall 1.3.2 prints an error and returns None; a year lost to a 429 is missing without a word; its base
  address is a constant; it never waits.

What is needed of each protocol is one address and one table, and a test can send it every fault there is.
"""
