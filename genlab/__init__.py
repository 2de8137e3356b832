from genlab.core.first_moments import begin

begin()
