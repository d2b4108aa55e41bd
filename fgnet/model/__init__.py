"""The networks: one idea a file, none of which knows of stages, files or Snakemake."""
