"""Where a running year will end: from monthly and year-to-date figures to the year's total, with its error."""
