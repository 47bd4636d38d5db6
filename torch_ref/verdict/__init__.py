"""From numbers to a verdict: whose fault it is, the likely cause, the report, and the assertion that raises it."""
