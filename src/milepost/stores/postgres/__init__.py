"""The PostgreSQL store: one database, drivers on several machines, each job written by one."""
