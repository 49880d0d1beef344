"""Server-rendered pages that then go live, one file per noun: form, shared action, redirect."""
