"""The mathematics in plain float64 NumPy: what every kernel is compared with."""
