"""Parts of the benchmark: databases, seeding, servers, load and the report."""
