"""
What an engine leaves on a machine: network rules, bridges, mounts, processes, kernel settings.

It is looked at before and after. What belongs to an engine and was not there before is taken away;
rules that somebody else has made in the meantime stay.
"""

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Self

from deploy.engine.commands import CommandFailed, output, run

__all__ = ["PLACES", "Footprint", "engines", "is_of_an_engine", "tables"]

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")

# Chains, and the links of networks and of containers.
LINK = re.compile(r"^(docker0|br-[0-9a-f]{12}|veth[0-9a-f]{7})$")
OF_AN_ENGINE = re.compile(r"DOCKER|\bdocker0\b|\bbr-[0-9a-f]{12}\b")

# Where its containers' networks may be; the first that this machine has no route to is taken.
PLACES = ("10.213.0.0/16", "10.229.0.0/16", "172.29.0.0/16", "172.30.0.0/16", "192.168.0.0/16")
MASQUERADED = re.compile(r" -A POSTROUTING -s ([\d./]+) .*MASQUERADE")


@dataclass(frozen=True)
class Footprint:
    """
    What an engine may leave, at one moment.

    Attributes:
        rules: as iptables-save writes them, each with its table before it.
        chains: of our own making and built-in ones, with their policies, likewise.
        links: network devices that are an engine's.
        mounts: where something is mounted below an engine's folders.
        forwarding: whether the kernel passes packets on.
    """

    rules: list[str]
    chains: list[str]
    links: list[str]
    mounts: list[str]
    forwarding: str

    @classmethod
    def now(cls, folders: list[Path]) -> Self:
        """Look; mounts count below these folders."""
        rules, chains = tables(output("iptables-save"))
        links = [each["ifname"] for each in json.loads(output("ip", "-j", "link"))]
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return cls(
            rules,
            chains,
            sorted(name for name in links if LINK.match(name)),
            sorted(p for p in points if any(Path(p).is_relative_to(f) for f in folders)),
            FORWARDING.read_text().strip(),
        )

    def undo(self, now: "Footprint") -> None:
        """Take away what an engine has added since then."""
        for rule in [r for r in now.rules if r not in self.rules and is_of_an_engine(r)]:
            remove_rule(rule)
        added = [chain.split() for chain in now.chains if chain not in self.chains]
        for table, chain, policy in added:
            if policy == "-" and OF_AN_ENGINE.search(chain):
                run("iptables", "-w", "-t", table, "-F", chain)
        for table, chain, policy in added:
            if policy == "-" and OF_AN_ENGINE.search(chain):
                run("iptables", "-w", "-t", table, "-X", chain)
            elif policy == "DROP" and chain == "FORWARD":
                run("iptables", "-w", "-t", table, "-P", chain, "ACCEPT")
        for link in now.links:
            if link not in self.links:
                try_run("ip", "link", "del", link)
        if FORWARDING.read_text().strip() != self.forwarding:
            FORWARDING.write_text(self.forwarding)

    def differences(self, now: "Footprint") -> list[str]:
        """Say what is otherwise, as lines for people; empty when nothing is."""
        found = []
        for part in fields(self):
            before, after = getattr(self, part.name), getattr(now, part.name)
            if isinstance(before, str):
                before, after = [before], [after]
            found += [f"new in {part.name}: {each}" for each in after if each not in before]
            found += [f"gone from {part.name}: {each}" for each in before if each not in after]
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def tables(text: str) -> tuple[list[str], list[str]]:
    """Read the rules and the chains out of what iptables-save writes."""
    rules, chains, table = [], [], ""
    for line in text.splitlines():
        match line[:1]:
            case "*":
                table = line[1:]
            case ":":
                chains.append(f"{table} {line[1:].rpartition(' ')[0]}")
            case "-":
                rules.append(f"{table} {line}")
    # A table that was only looked at has its built-in chains from then on.
    return rules, [chain for chain in chains if not chain.endswith(" ACCEPT")]


def is_of_an_engine(rule: str) -> bool:
    """Tell a private engine's rule from those of others, who masquerade networks, too."""
    if OF_AN_ENGINE.search(rule):
        return True
    # Of a network whose bridge is gone, and with it the rule's only other sign.
    if not (found := MASQUERADED.search(rule)):
        return False
    network = ip_network(found[1], strict=False)
    return any(network.overlaps(ip_network(place)) for place in PLACES)


def remove_rule(rule: str) -> None:
    table, _, words = rule.partition(" ")
    # In the kernel's own words: nothing in an engine's rules is quoted.
    try_run("iptables", "-w", "-t", table, "-D", *words.split()[1:])


def try_run(*command: str) -> None:
    """Remove something that may be gone already; what stays shows when all is compared."""
    with suppress(CommandFailed):
        run(*command)


def engines() -> list[int]:
    """List the processes of Docker engines on this machine."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                words = (path / "stat").read_text(errors="replace")
            except OSError:
                continue
            # Its number, its name in brackets, and Z for one that is over.
            name, _, rest = words.partition("(")[2].rpartition(")")
            if name in {"dockerd", "containerd-shim"} and not rest.lstrip().startswith("Z"):
                found.append(int(path.name))
    return found
