"""How fast, how cheap, how steady: `make bench`.

It starts its own database, sandbox, web server and workers with the settings of production, drives
them over HTTP, and prints one table. Every figure stands beside its baseline, measured in the same
run: shared machines are noisy, so most of what is asserted are ratios.
"""
