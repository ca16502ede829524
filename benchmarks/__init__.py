"""The asv suite. It runs on old commits too, so it imports only what `surface` names."""
