"""What the chains are to be asked, and what control on chain shows."""
