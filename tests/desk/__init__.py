"""An app whose channels are for those who have a permission, as `CARILLON_APPS` names it."""
