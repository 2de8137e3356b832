from genlab.core.startup import begin

begin()
