from genlab.core.first_moments import obey_while_importing

obey_while_importing()
