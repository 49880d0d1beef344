"""How much each caller may do: budgets that all processes of a deployment share."""
