"""`scripts/simulate`: the engine past one machine, as a discrete-event model of its parts."""
