"""Token rows: order by hash, cutting, shards and the manifest."""
