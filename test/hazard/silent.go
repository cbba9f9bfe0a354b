package hazard

// silently are the hazards that make nodes differ with nobody being told, each with the
// reason. There is none; a new one has to be listed here as long as it is.
var silently = map[string]string{}
