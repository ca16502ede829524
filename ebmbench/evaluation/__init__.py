"""What a model is worth, off the clock: log-likelihood, baselines, samples."""
