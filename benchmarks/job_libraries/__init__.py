"""One module for each job library; its ``enqueue(shard)`` adds a job that handles one message."""
