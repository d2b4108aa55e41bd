"""Results in the formats that viewers read, and a server that shows them in Neuroglancer."""
