"""What became of a client's calls: one line of JSON for each on standard output.

A call passes, is refused as a device refuses it (the words that have to be in the refusal are given), or is
not simulated (501). Anything else is a fault of the simulator, and told as such.
"""

import json
import re
import sys


def status_of(error):
    """The HTTP status of an error of a client, where it has one."""
    response = getattr(error, "response", None)
    if response is not None and hasattr(response, "status_code"):
        return response.status_code
    found = re.search(r'\b(?:code"?:|Status:?|Error:) ?"?(\d{3})\b|\b(\d{3}) Unexpected', str(error))
    return int(found.group(1) or found.group(2)) if found else None


def words_of(error):
    """What an error says, with what a device said where the client keeps that apart."""
    response = getattr(error, "response", None)
    return f"{error} {getattr(response, 'text', '')}"


class Calls:
    """The calls of one client, in order."""

    def call(self, name, action, refused=None):
        """Makes a call and tells what became of it; gives back what it gave, if it passed."""
        value = None
        try:
            value = action()
            outcome = "passes" if refused is None else "fault: it was not refused"
        except Exception as error:  # whatever a client raises
            words = words_of(error)
            if "bigip-sim does not simulate" in words:
                outcome = "not simulated"
            elif refused is not None and refused in words:
                outcome = "refused"
            else:
                outcome = f"fault: {type(error).__name__}: {words}"[:400]
        print(json.dumps({"call": name, "outcome": outcome}), flush=True)
        return value


def check(condition, what):
    """Fails a call whose answer is not what it has to be."""
    if not condition:
        raise AssertionError(what)


def arguments():
    """Address, port, password, CA file and version, as the runner gives them."""
    address, port, password, ca, version = sys.argv[1:6]
    return address, int(port), password, ca, version
