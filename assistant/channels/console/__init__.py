"""The operators' console: chat, board, approvals and routing log in a browser."""

from assistant.channels.console.lean import without

# engineio's client half wants aiohttp if it is there; a server never uses it (6 MB).
with without("aiohttp"):
    import nicegui as nicegui
