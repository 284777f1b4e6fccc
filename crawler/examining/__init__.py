"""Whose a row is: labels, addresses and signatures, judged offline."""
