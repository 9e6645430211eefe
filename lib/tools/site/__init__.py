"""The site, out/site: pages to read, made offline from the runs in out/runs and their table of results."""
