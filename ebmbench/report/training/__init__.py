"""What the report says and draws of the cases that train a model."""
