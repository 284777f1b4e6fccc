"""What the contract suite needs to know of each adapter, one module each."""
