from genlab.core.interrupts import obey_while_importing

obey_while_importing()
