"""Stage download: every volume as one HDF5 file in the manner of CREMI."""
