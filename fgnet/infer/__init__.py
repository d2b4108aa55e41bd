"""The stage infer: a trained model over a volume, to affinities."""
