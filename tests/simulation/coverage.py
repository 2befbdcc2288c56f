"""Sometimes-assertions: what a campaign must have met."""


