"""From affinities to fragments, and which fragments are one neuron at each threshold."""
