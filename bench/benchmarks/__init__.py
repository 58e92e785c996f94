"""Benchmarks of Tailrace: each compares with a limit or a peer in the same run, because absolute figures drift."""
