"""What moved trade, and whether a policy did: decompositions, breaks, regressions, synthetic controls."""
