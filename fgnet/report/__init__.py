"""The report: notebooks run with parameters, made into plain pages that need no network."""
