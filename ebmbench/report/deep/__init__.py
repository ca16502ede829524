"""What the report says of deep models that were trained end to end."""
