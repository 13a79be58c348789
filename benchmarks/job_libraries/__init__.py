"""One module for each job library; its ``enqueue(cell)`` adds a job that handles one message."""
