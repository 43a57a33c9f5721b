"""What is measured: one module for each group of rows, each with a `measure(bench)` that gives them."""
