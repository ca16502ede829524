"""ebmbench: benchmarks for energy-based models with exact truth beside every timing."""
