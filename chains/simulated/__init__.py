"""Small servers that speak the chains' node protocols, for the demo and the tests."""
