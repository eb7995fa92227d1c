"""What an SRE runs before trusting the job: speed, memory and accuracy against peers and the physical limit."""
