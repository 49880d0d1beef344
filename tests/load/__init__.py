"""What `make bench-bulk` runs (docs/benchmarks.md), and the tests of its pure parts."""
