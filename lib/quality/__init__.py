"""What may be wrong with figures: the rules behind `lib.plausibility`."""
