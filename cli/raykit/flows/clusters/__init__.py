"""What commands about clusters do: bring one up, end it, show what is up, make a kind cluster."""
