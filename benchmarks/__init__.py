"""What cbsim costs, beside its peers: `make bench`."""
