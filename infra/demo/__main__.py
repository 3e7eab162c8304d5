"""`python -m infra.demo`: `prepare` writes the lab's files, `run` runs its devices."""

import argparse
import json
import logging
import sys
from pathlib import Path

from infra.demo.control import send_order
from infra.demo.link import Broker
from infra.demo.prepare import TRUST, prepare
from infra.demo.run import Options, run


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return int(asked.do(asked))
    except OSError as error:
        sys.stderr.write(f"That did not work: {error}\n")
        return 1


def _prepare(asked: argparse.Namespace) -> int:
    done = prepare(asked.home, seed=asked.seed)
    where = {
        "lab": str(done.lab),
        "trust": str(done.trust),
        "keys": {handle: str(path) for handle, path in done.keys.items()},
        "tokens": {handle: str(path) for handle, path in done.tokens.items()},
    }
    sys.stdout.write(json.dumps(where) + "\n")
    return 0


def _run(asked: argparse.Namespace) -> int:
    if not (asked.home / "lab.toml").exists():
        sys.stderr.write(f"There is no lab in {asked.home}; run `prepare` first.\n")
        return 1
    run(
        Options(
            home=asked.home,
            trust=asked.trust or asked.home / TRUST,
            files=asked.files or asked.home / "artifacts",
            broker=_broker(asked),
            seed=asked.seed,
            speed=asked.speed,
            control_port=asked.control_port,
        )
    )
    return 0


def _order(asked: argparse.Namespace) -> int:
    answer = send_order(asked.control_port, asked.order)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if answer["ok"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    files = commands.add_parser("prepare", help="write the files")
    devices = commands.add_parser("run", help="run the devices")
    files.set_defaults(do=_prepare)
    devices.set_defaults(do=_run)
    for command in (files, devices):
        command.add_argument("--home", type=Path, required=True, help="folder of the lab")
        command.add_argument("--seed", type=int, default=1, help="same seed, same lab")
    devices.add_argument("--mqtt-host", default="127.0.0.1")
    devices.add_argument("--mqtt-port", type=int, default=1883)
    devices.add_argument("--credentials", type=Path, help="JSON file with username and password")
    devices.add_argument("--speed", type=_speed, default=10.0, help="how much faster than real")
    devices.add_argument("--files", type=Path, help="artifact store (HOME/artifacts)")
    devices.add_argument("--trust", type=Path, help="whose signatures count (HOME/trust.json)")
    devices.add_argument(
        "--control-port", type=int, help="loopback port for ordering faults (0: any)"
    )
    order = commands.add_parser("order", help="order a fault, or somebody to come or go")
    order.set_defaults(do=_order)
    order.add_argument("--control-port", type=int, required=True)
    order.add_argument("order", help='for example {"device": "mk4", "fault": "jam"}')
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.1 <= speed <= 10_000:  # noqa: PLR2004 - said in words right below
        raise argparse.ArgumentTypeError("the speed is from 0.1 to 10000")
    return speed


def _broker(asked: argparse.Namespace) -> Broker:
    found: dict[str, str] = {}
    if asked.credentials is not None and asked.credentials.exists():
        found = json.loads(asked.credentials.read_text(encoding="utf-8"))
    return Broker(
        host=asked.mqtt_host,
        port=asked.mqtt_port,
        username=found.get("username"),
        password=found.get("password"),
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
