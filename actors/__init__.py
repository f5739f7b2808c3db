"""The work: one module per kind of task, and the engines that do it. The gateway never imports this."""
