"""From parameters to executed notebooks: what must run, warm kernels, many at once, results, freshness."""
