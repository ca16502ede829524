"""What the report says and draws of two results folders that were held against each other.

All of it is made from the frame of `ebmbench.harness.comparison.Comparison`, a row a measure: tables for
the console and the page, a figure, and the page.
"""
