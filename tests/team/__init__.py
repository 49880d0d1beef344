"""A team's own Django app, as `CARILLON_APPS` names it: live polls."""
