"""One check a file: what it looks at, its control file, its reply.  policy.py calls them in an order one can read."""
