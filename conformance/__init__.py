"""What is required of image volumes, the checks that verify it, and the verdicts and reports that come of them."""
