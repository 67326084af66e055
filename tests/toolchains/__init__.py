"""Tests in other languages than Python: consumers, and the official tools of the formats that the bridge writes.

They run where the toolchain is. Elsewhere they are skipped, and say what was left out; with REQUIRE_TOOLCHAINS=1 that
is an error.
"""
