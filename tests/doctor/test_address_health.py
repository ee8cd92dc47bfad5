"""The doctor on secret addresses: whoever has one means it to be answered."""

import pytest
from flask import Flask

from app.doctor.address_health import check_addresses
from app.extensions import db
from app.models import Workflow
from app.workspaces.api_keys import revoke_api_key
from app.workspaces.report_addresses import create_address
from tests.factories import Team, make_team


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def test_addresses_that_nobody_answers_are_found_with_their_fix(app: Flask, team: Team) -> None:
    assert check_addresses().state == "ok"
    workflow = db.session.get_one(Workflow, team.workflow_id)
    address, _ = create_address(team.workspace_id, workflow)
    found = check_addresses()
    assert found.state == "warn" and "1 address is there" in found.message
    assert found.fix and "FLOWPULSE_COMPATIBILITY=1" in found.fix
    app.config["FLOWPULSE_COMPATIBILITY"] = True
    assert check_addresses().state == "ok"
    app.config["FLOWPULSE_COMPATIBILITY"] = False
    revoke_api_key(address)
    assert check_addresses().state == "ok"
