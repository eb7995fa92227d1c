"""One process: tables, panel, models, planning, one shard, the local runner, the report, the command line."""
