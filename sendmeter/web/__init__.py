"""HTTP's own matters, on the way of a request: boundary, connexion's routing, bridge, security, validation."""
