"""The machine's facts."""

from pathlib import Path

from qsmtpd.checks.machine import configured
from qsmtpd.lookups.machine import MachineState
from qsmtpd.rules.vocabulary import TERMS
from tests.qsmtpd.checks.site import found, site
from tests.qsmtpd.world import DictLookups, FixedMachine, mail


def test_facts(tmp_path: Path) -> None:
    lookups = DictLookups(machine=FixedMachine({"load": 81.5, "memory": 12.0}))

    assert found(configured(site(tmp_path)), mail(), lookups, "load", "memory") == {"load": 81.5, "memory": 12.0}


def test_a_kernel_without_psi_has_a_load(tmp_path: Path) -> None:
    lookups = DictLookups(machine=FixedMachine({"load": 81.5}))

    assert found(configured(site(tmp_path)), mail(), lookups, "psi-cpu", "load") == {"psi-cpu": None, "load": 81.5}
    assert lookups.noted == [b"machine: psi-cpu"]


def test_every_fact_is_one_that_the_machine_reads(tmp_path: Path) -> None:
    """A number of this very machine, or unknown: never an error."""
    names = [name for name, term in TERMS.items() if term.check == "machine"]
    lookups = DictLookups()
    lookups.machine = MachineState()  # type: ignore[assignment]

    findings = found(configured(site(tmp_path)), mail(), lookups, *names)

    assert len(names) == 6
    assert all(value is None or value >= 0 for value in findings.values())
    assert None not in (findings["load"], findings["load-cpu"], findings["memory"])
