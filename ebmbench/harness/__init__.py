"""From a suite's TOML file to a table of rows: spec, gate, run, table."""
