"""Where state is kept: stores that know their medium and nothing of jobs, nor of each other."""
