package hazard

// silently are the hazards that make nodes differ with nobody being told, each with the
// reason. The aim is an empty list.
var silently = map[string]string{}
