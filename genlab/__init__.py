from genlab.core.first_moments import obey_while_importing
from genlab.core.numerics import hold_kernels

obey_while_importing()
hold_kernels()
