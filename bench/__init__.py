"""Measurements. What they claim are ratios within one run; see README.md."""
