"""Whether somebody else's sampler, trainer and scores do what they say: a conformance suite.

What is verified is a peer, or anything that follows the protocol of `_targets`; what is looked at says
`_checks`. All models are small enough to be enumerated, so that the truth is exact, and every check that
a right program may fail by chance states how seldom it does.
"""

from dataclasses import dataclass
from functools import cache

from ebmbench.errors import Unavailable, UserError
from ebmbench.harness.gate import Red
from ebmbench.harness.verify._checks import CHECKS
from ebmbench.harness.verify._targets import Target, of_peer, target
from ebmbench.peers import Place, known

NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check: passed, or None where there is nothing to be checked.

    false_alarm: the chance that a right program fails.
    """

    check: str
    passed: bool | None
    said: str
    false_alarm: float

    @property
    def finds(self) -> str:
        """What fails it 99 times of 100; found when asked for, as a verdict does without."""
        return next(check.finds() for check in CHECKS if check.name == self.check)


def findings(one: Target) -> list[Finding]:
    """Every check of a target; what it raises is a check that failed."""
    found = []
    for check in CHECKS:
        try:
            said = check.look(one)
            passed, told = (True, said) if said else (None, check.lacks)
        except Unavailable as reason:
            passed, told = None, str(reason)
        except Red as reason:
            passed, told = False, str(reason)
        except (Exception, SystemExit) as error:  # of the program that is verified
            text = " ".join(f"{type(error).__name__}: {error}".split())
            passed, told = False, f"it raised {text}"
        found.append(Finding(check.name, passed, told, check.alarm))
    return found


def verdict(found: list[Finding]) -> str:
    """In a few words, as tables have it."""
    failed = [one.check for one in found if one.passed is False]
    passed = [one.check for one in found if one.passed]
    if failed:
        return f"failed: {', '.join(failed)}"
    return f"verified: {', '.join(passed)}" if passed else NOT_CHECKED


@cache
def of(name: str, place: Place) -> str:
    """The verdict on a peer, found once a process; not checked where that would take minutes."""
    if getattr(known()[name], "SLOW_TO_START", False):
        return f"{NOT_CHECKED}: each check would be compiled anew, see ebmbench verify {name}"
    try:
        return verdict(findings(of_peer(name, place)))
    except UserError as error:
        return f"{NOT_CHECKED}: {error}"


__all__ = ["NOT_CHECKED", "Finding", "Target", "findings", "of", "of_peer", "target", "verdict"]
