"""Whether a printer can take a job: what it was prepared for, and what is in the way now."""

from collections.abc import Sequence

from safety.entities import OnlineState
from tools.desk import DeviceView, PrintJob
from tools.phrases import either
from tools.printing.fleet import Activity, activity
from tools.spec import ToolError
from tools.views import predicate


def unfit(view: DeviceView, job: PrintJob, printers: Sequence[DeviceView]) -> ToolError | None:
    """Say why the printer can never print the job as it is prepared; None if it can."""
    name, able, wanted = view.device.name, _technologies(view), _needed(job, printers)
    if not wanted & set(able):
        return ToolError(
            "wrong_technology",
            f"{name} does {either(able, 'and')}, and {job.name} is prepared for"
            f" {either(sorted(wanted))}.",
        )
    if not _made_for(view, job):
        names = [each.device.name for each in printers if _made_for(each, job)]
        return ToolError(
            "wrong_printer",
            f"{job.name} was prepared for {either(names) or 'another printer'}, not for {name}."
            f" Prepare it for {name} first.",
        )
    if "start_print" not in view.device.intents:
        return ToolError("cannot_print", f"{name} cannot be told to start a print.")
    return None


def obstacle(view: DeviceView) -> str | None:
    """Say why nothing can be started on the printer now."""
    if view.device.online_state is OnlineState.OFFLINE:
        return "is offline"
    if view.fault or view.device.online_state is OnlineState.FAULT:
        return "reports a fault"
    doing = activity(view)
    if doing is Activity.UNKNOWN:
        return "has not said what it is doing"
    if doing is not Activity.RESTING:
        return f"is {predicate(view)}"
    if view.state.get("status") == "error":
        return "was stopped by an error; abort that print first"
    return None


def _made_for(view: DeviceView, job: PrintJob) -> bool:
    """Tell whether the file was prepared for this printer, as far as the job says."""
    if job.device is not None:
        return job.device == view.device.id
    return not job.printers or view.device.external_id in job.printers


def _needed(job: PrintJob, printers: Sequence[DeviceView]) -> frozenset[str]:
    """Return the technologies of which one must be there."""
    if job.technology:
        return frozenset({job.technology})
    if job.device is None and not job.printers:
        return frozenset({"fdm"})
    its_own = [view for view in printers if _made_for(view, job)]
    return frozenset(each for view in its_own for each in _technologies(view)) or frozenset({"fdm"})


def _technologies(view: DeviceView) -> tuple[str, ...]:
    """Return what the machine can do; a printer that does not say melts plastic."""
    told = view.device.capabilities.get("technologies", ("fdm",))
    if isinstance(told, str) or not isinstance(told, Sequence):
        told = (told,)
    return tuple(str(each).lower() for each in told)
