"""Alerts: levels, events and topics, the service that keeps them, and the handlers that send them on."""
