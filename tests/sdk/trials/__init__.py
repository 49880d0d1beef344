"""What must hold of connections that end, gateways that die and databases that go back, tried."""
