"""Takes messages in, keeps state, and answers whoever asks for it."""
