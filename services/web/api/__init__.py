"""The site's own JSON API, one file per noun: parse, shared action, response."""
