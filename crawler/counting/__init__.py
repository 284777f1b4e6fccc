"""From answers to exact totals and findings: pure, from the files of a run alone."""
