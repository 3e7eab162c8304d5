"""The names that the outside relies on: family, tool, arguments and hazard."""

from safety.entities import Hazard

NONE, LOW, MEDIUM, HIGH = Hazard

CATALOGUE: dict[str, tuple[str, tuple[str, ...], Hazard]] = {
    "list_devices": ("devices", ("kind", "zone", "state"), NONE),
    "device_status": ("devices", ("device", "zone"), NONE),
    "switch_light": ("devices", ("target", "on"), NONE),
    "set_scene": ("devices", ("zone", "scene"), LOW),
    "lock_door": ("devices", ("door",), NONE),
    "unlock_door": ("devices", ("door", "seconds"), HIGH),
    "cut_power": ("devices", ("device",), NONE),
    "enable_power": ("devices", ("device",), HIGH),
    "who_is_in": ("devices", ("zone",), NONE),
    "show_camera": ("devices", ("target",), NONE),
    "list_printers": ("printing", (), NONE),
    "printer_status": ("printing", ("printer",), NONE),
    "print_progress": ("printing", ("printer",), NONE),
    "list_jobs": ("printing", (), NONE),
    "start_print": ("printing", ("job", "printer"), MEDIUM),
    "pause_print": ("printing", ("printer",), NONE),
    "resume_print": ("printing", ("printer",), MEDIUM),
    "abort_print": ("printing", ("printer",), NONE),
    "set_temperature": ("printing", ("printer", "part", "celsius"), HIGH),
    "send_gcode": ("printing", ("printer", "gcode"), HIGH),
    "stop_everything": ("printing", ("zone",), NONE),
    "list_approvals": ("approvals", (), NONE),
    "approval_status": ("approvals", ("event",), NONE),
    "withdraw_request": ("approvals", ("event",), NONE),
    "what_happened": ("record", ("since", "until", "about"), NONE),
    "why": ("record", ("request",), NONE),
    "remember": ("record", ("text",), NONE),
    "recall": ("record", ("about",), NONE),
    "forget": ("record", ("about",), NONE),
}
OPTIONAL: dict[str, set[str]] = {
    "list_devices": {"kind", "zone", "state"},
    "device_status": {"device", "zone"},
    "unlock_door": {"seconds"},
    "printer_status": {"printer"},
    "print_progress": {"printer"},
    "start_print": {"printer"},
    "pause_print": {"printer"},
    "resume_print": {"printer"},
    "abort_print": {"printer"},
    "stop_everything": {"zone"},
    "approval_status": {"event"},
    "withdraw_request": {"event"},
    "what_happened": {"since", "until", "about"},
    "why": {"request"},
    "recall": {"about"},
}
WRONG: dict[str, object] = {"on": "yes", "seconds": True, "celsius": "200", "part": "fan"}
"""A value of the wrong kind for an argument; 7 for all others."""
