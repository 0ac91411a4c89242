"""What is known of faults and of what helps, as data: why a finding is there, where it is told of, what to do."""
