"""What the end-to-end tests stand on: real servers, real clients, and an independent idea of what
the right rows are. Nothing in here imports or calls our own decoder."""
