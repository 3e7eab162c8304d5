"""The operators' console: chat, board, approvals and routing log in a browser."""
